//! One simulated server: accepts connections, records requests in the ledger, checks the rules and applies faults.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use super::basic_auth;
use super::body::{BodyContext, SimBody};
use super::call::{Call, RequestBody};
use super::fault::Fault;
use super::ledger::{Entry, ExpectContinue, Framing, RequestAuth, Role};
use super::lock;
use super::network::Listener;
use super::plan::{FaultHandle, OnAccept, ServerFaults};
use super::reply::Reply;
use super::rules::Rule;
use super::wire::{Socket, Wire};
use super::world::World;

/// Replies to one request, which is in the ledger already.
pub type Handler = Arc<dyn Fn(Call) -> BoxFuture<'static, Reply> + Send + Sync>;

/// The case of a server's header names, and its roles in the ledger.
pub(super) struct ServerOptions {
    /// Precedes the name of the role in the ledger; empty for none.
    pub(super) ledger_prefix: String,
    /// The role of the server at a path: one origin may have both the API and the token service.
    pub(super) role: Box<dyn Fn(&str) -> Role + Send + Sync>,
    /// Header names as `Content-Type` instead of `content-type`.
    pub(super) title_case_headers: bool,
}

pub struct Server {
    authority: String,
    options: ServerOptions,
    world: Arc<World>,
    faults: Arc<ServerFaults>,
    handler: Handler,
    /// Notifies every open connection to close.
    cut: Notify,
    accepting: Mutex<Option<AbortHandle>>,
}

impl Server {
    pub(super) fn start(
        world: &Arc<World>,
        listener: Listener,
        authority: String,
        options: ServerOptions,
        handler: Handler,
    ) -> Arc<Self> {
        let server = Arc::new(Self {
            authority,
            options,
            world: Arc::clone(world),
            faults: Arc::default(),
            handler,
            cut: Notify::new(),
            accepting: Mutex::default(),
        });
        let accepting = tokio::spawn(Arc::clone(&server).accept(listener)).abort_handle();
        world.add_task(accepting.clone());
        *lock(&server.accepting) = Some(accepting);
        server
    }

    /// `hub.test` or `127.0.0.1:34567`: what the `Host` header must be.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// `http://hub.test`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }

    pub fn inject(&self, fault: Fault) -> FaultHandle {
        self.faults.inject(fault)
    }

    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Drops every open connection, in use or idle.
    pub fn cut_connections(&self) {
        self.cut.notify_waiters();
    }

    /// Stops the server for good: open connections are dropped, new ones are refused.
    pub fn stop(&self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
    }

    async fn accept(self: Arc<Self>, mut listener: Listener) {
        // Dropping the set, when this task is aborted, drops every connection.
        let mut connections = JoinSet::new();
        while let Some(socket) = listener.accept().await {
            while connections.try_join_next().is_some() {}
            match self.faults.on_accept() {
                OnAccept::Close => {}
                OnAccept::Serve => drop(connections.spawn(Arc::clone(&self).serve(socket))),
                OnAccept::Hang => drop(connections.spawn(async move {
                    let _open = socket;
                    std::future::pending::<()>().await;
                })),
            }
        }
    }

    async fn serve(self: Arc<Self>, socket: Socket) {
        let (wire, state) = Wire::new(socket);
        let close_after_reply = Arc::<Notify>::default();
        let close_now = Arc::<Notify>::default();
        let service = service_fn(|request| {
            let context = BodyContext { wire: Arc::clone(&state), body_sent: Arc::default() };
            let (server, close_now) = (Arc::clone(&self), Arc::clone(&close_now));
            let close_after_reply = Arc::clone(&close_after_reply);
            async move { Ok::<_, Infallible>(server.respond(request, context, &close_after_reply, close_now).await) }
        });
        let connection = http1::Builder::new()
            .auto_date_header(false)
            .title_case_headers(self.options.title_case_headers)
            .serve_connection(TokioIo::new(wire), service);
        let (mut connection, mut cut) = (pin!(connection), pin!(self.cut.notified()));
        loop {
            tokio::select! {
                biased;
                // An error here is a broken transfer, often on purpose. Tests check how the client handles it.
                _ = &mut connection => return,
                () = &mut cut => return,
                () = close_now.notified() => return,
                // hyper has written the head by now, so the reply does not announce the close.
                () = close_after_reply.notified() => Pin::as_mut(&mut connection).graceful_shutdown(),
            }
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        context: BodyContext,
        close_after_reply: &Arc<Notify>,
        close_now: Arc<Notify>,
    ) -> Response<SimBody> {
        let (head, body) = request.into_parts();
        let entry = self.entry(&head);
        let number = self.world.ledger.record(entry.clone());
        let basic = basic_auth::credential(&head.headers).map(|(user, password)| format!("{user}:{password}"));
        self.world.rules.inspect(&entry, &self.authority, basic.as_deref());
        let plan = self.faults.plan(&entry);
        if plan.close_at_once {
            close_now.notify_one();
        }
        if plan.hang || plan.close_at_once {
            std::future::pending::<()>().await;
        }
        if !plan.delay.is_zero() {
            tokio::time::sleep(plan.delay).await;
        }
        let wire = &context.wire;
        let body =
            RequestBody { incoming: body, wire: Arc::clone(wire), interruption: plan.interruption.clone(), close_now };
        let (call, fault_reply) = Call::new(entry.clone(), number, Arc::clone(&self.world), body);
        let reply = if let Some(reply) = plan.reply.clone() {
            reply
        } else {
            tokio::select! {
                biased;
                reply = self.handle(call) => reply,
                Ok(reply) = fault_reply => reply,
            }
        };
        let mut reply = plan.alter(&entry, reply);
        if !reply.headers.contains_key(header::DATE) {
            reply = reply.header("date", self.world.clock.http_date());
        }
        let status = reply.status;
        let mut unread = false;
        let reply_len = if entry.method == Method::HEAD { 0 } else { reply.body.len() };
        self.world.ledger.amend(number, |entry| {
            entry.status = Some(status);
            entry.reply_len = reply_len;
            unread = !entry.body_complete;
        });
        // Go's server closes in the same way when the handler did not read the whole body.
        if unread {
            wire.linger_on_close();
            reply = reply.header("connection", "close");
        }
        wire.next_request();
        if plan.close_after {
            let (body_sent, close_after_reply) = (Arc::clone(&context.body_sent), Arc::clone(close_after_reply));
            tokio::spawn(async move {
                body_sent.notified().await;
                close_after_reply.notify_one();
            });
        }
        reply.into_response(context, plan.ending)
    }

    async fn handle(&self, call: Call) -> Reply {
        let entry = call.entry.clone();
        AssertUnwindSafe((self.handler)(call)).catch_unwind().await.unwrap_or_else(|_| {
            self.world.rules.report_violation(Rule::SimulatorPanic, &entry);
            Reply::new(500).text("the simulator panicked")
        })
    }

    fn entry(&self, head: &Parts) -> Entry {
        let path = head.uri.path().to_owned();
        let role = (self.options.role)(&path);
        let framing = framing(&head.headers);
        Entry {
            server: format!("{}{}", self.options.ledger_prefix, role.name()),
            role,
            method: head.method.clone(),
            path,
            query: head.uri.query().unwrap_or_default().to_owned(),
            authorization: self.authorization(head),
            headers: head.headers.clone(),
            body_len: 0,
            reply_len: 0,
            body_complete: matches!(framing, Framing::None | Framing::Length(0)),
            framing,
            expect: if expects_continue(&head.headers) { ExpectContinue::NoContinue } else { ExpectContinue::NotSent },
            status: None,
        }
    }

    fn authorization(&self, head: &Parts) -> RequestAuth {
        if let Some((user, _)) = basic_auth::credential(&head.headers) {
            return RequestAuth::Basic { user };
        }
        match head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default()) {
            None => RequestAuth::None,
            Some(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    RequestAuth::Bearer { number: self.world.tokens.number(token) }
                }
                _ => RequestAuth::Other,
            },
        }
    }
}

fn framing(headers: &HeaderMap) -> Framing {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Framing::Chunked;
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.map_or(Framing::None, Framing::Length)
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

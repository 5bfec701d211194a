//! One simulated server: accepts connections, keeps the ledger, watches the rules, misbehaves when told to.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use super::body::{Pieces, SimBody};
use super::call::{Call, Upload};
use super::fault::Fault;
use super::ledger::{AuthSeen, Entry, Expect, Framing, Role};
use super::lock;
use super::network::Door;
use super::plan::{FaultHandle, Faults, OnAccept};
use super::reply::Reply;
use super::rules::Rule;
use super::wire::{Socket, Wire};
use super::world::World;

/// Answers one request that a server has entered into the ledger.
pub type Handler = Arc<dyn Fn(Call) -> BoxFuture<'static, Reply> + Send + Sync>;

/// How a server presents itself.
pub(super) struct Manner {
    /// In front of the role in the ledger; empty for none.
    pub(super) label: String,
    pub(super) role: Box<dyn Fn(&str) -> Role + Send + Sync>,
    pub(super) title_case: bool,
}

pub struct Server {
    authority: String,
    manner: Manner,
    world: Arc<World>,
    faults: Arc<Faults>,
    handler: Handler,
    cut: Notify,
    accepting: Mutex<Option<AbortHandle>>,
}

impl Server {
    pub(super) fn start(
        world: &Arc<World>,
        door: Door,
        authority: String,
        manner: Manner,
        handler: Handler,
    ) -> Arc<Self> {
        let server = Arc::new(Self {
            authority,
            manner,
            world: Arc::clone(world),
            faults: Arc::default(),
            handler,
            cut: Notify::new(),
            accepting: Mutex::default(),
        });
        let accepting = tokio::spawn(Arc::clone(&server).accept(door)).abort_handle();
        world.own(accepting.clone());
        *lock(&server.accepting) = Some(accepting);
        server
    }

    /// `hub.test` or `127.0.0.1:34567`: what the `Host` header must say.
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

    pub fn lift_faults(&self) {
        self.faults.lift_all();
    }

    /// Drops every open connection, in use or idle.
    pub fn cut_connections(&self) {
        self.cut.notify_waiters();
    }

    /// Closes the door for good: open connections die, new ones are refused.
    pub fn stop(&self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
    }

    async fn accept(self: Arc<Self>, mut door: Door) {
        // Dropping the set, when this task is aborted, drops every connection.
        let mut connections = JoinSet::new();
        while let Some(socket) = door.accept().await {
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
        let (wire, gauge) = Wire::new(socket);
        let retire = Arc::<Notify>::default();
        let leave = Arc::<Notify>::default();
        let service = service_fn(|request| {
            let pieces = Pieces { gauge: Arc::clone(&gauge), done: Arc::default() };
            let (server, retire, leave) = (Arc::clone(&self), Arc::clone(&retire), Arc::clone(&leave));
            async move { Ok::<_, Infallible>(server.respond(request, pieces, &retire, leave).await) }
        });
        let connection = http1::Builder::new()
            .auto_date_header(false)
            .title_case_headers(self.manner.title_case)
            .serve_connection(TokioIo::new(wire), service);
        let (mut connection, mut cut) = (pin!(connection), pin!(self.cut.notified()));
        loop {
            tokio::select! {
                biased;
                // An error here is a broken transfer, which the client judges.
                _ = &mut connection => return,
                () = &mut cut => return,
                () = leave.notified() => return,
                // hyper has written the head by now, so it cannot announce the close any more.
                () = retire.notified() => Pin::as_mut(&mut connection).graceful_shutdown(),
            }
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        pieces: Pieces,
        retire: &Arc<Notify>,
        leave: Arc<Notify>,
    ) -> Response<SimBody> {
        let (head, body) = request.into_parts();
        let entry = self.entry(&head);
        let number = self.world.ledger.arrive(entry.clone());
        self.world.rules.inspect(&entry, &self.authority, basic(&head).as_deref());
        let plan = self.faults.plan(&entry);
        if plan.hang {
            std::future::pending::<()>().await;
        }
        if !plan.delay.is_zero() {
            tokio::time::sleep(plan.delay).await;
        }
        let gauge = &pieces.gauge;
        let upload = Upload { body, gauge: Arc::clone(gauge), interruption: plan.interruption.clone(), leave };
        let (call, outcome) = Call::new(entry.clone(), number, Arc::clone(&self.world), upload);
        let reply = if let Some(reply) = plan.answer.clone() {
            reply
        } else {
            tokio::select! {
                biased;
                reply = self.handle(call) => reply,
                Ok(reply) = outcome => reply,
            }
        };
        let mut reply = plan.alter(&entry, reply);
        if !reply.headers.contains_key(header::DATE) {
            reply = reply.header("date", self.world.clock.http_date());
        }
        let status = reply.status;
        let mut unread = false;
        self.world.ledger.amend(number, |entry| {
            entry.status = Some(status);
            unread = !entry.body_whole;
        });
        // As Go's server does with a body that it would have to read to its end.
        if unread {
            gauge.linger_on_close();
            reply = reply.header("connection", "close");
        }
        gauge.answered();
        if plan.close_after {
            let (done, retire) = (Arc::clone(&pieces.done), Arc::clone(retire));
            tokio::spawn(async move {
                done.notified().await;
                retire.notify_one();
            });
        }
        reply.into_response(pieces, plan.ending)
    }

    async fn handle(&self, call: Call) -> Reply {
        let entry = call.entry.clone();
        AssertUnwindSafe((self.handler)(call)).catch_unwind().await.unwrap_or_else(|_| {
            self.world.rules.broken(Rule::Panic, &entry);
            Reply::new(500).text("the simulator panicked")
        })
    }

    fn entry(&self, head: &Parts) -> Entry {
        let path = head.uri.path().to_owned();
        let role = (self.manner.role)(&path);
        let framing = framing(&head.headers);
        Entry {
            server: format!("{}{}", self.manner.label, role.name()),
            role,
            method: head.method.clone(),
            path,
            query: head.uri.query().unwrap_or_default().to_owned(),
            authorization: self.authorization(head),
            headers: head.headers.clone(),
            body_len: 0,
            body_whole: matches!(framing, Framing::None | Framing::Length(0)),
            framing,
            expect: if expects_continue(&head.headers) { Expect::Unanswered } else { Expect::Absent },
            status: None,
        }
    }

    fn authorization(&self, head: &Parts) -> AuthSeen {
        if let Some(credential) = basic(head) {
            let user = credential.split_once(':').map_or("", |(user, _)| user).to_owned();
            return AuthSeen::Basic { user };
        }
        match head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default()) {
            None => AuthSeen::None,
            Some(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    AuthSeen::Bearer { id: self.world.tokens.id(token) }
                }
                _ => AuthSeen::Other,
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

/// The decoded `user:password` of a Basic header.
fn basic(head: &Parts) -> Option<String> {
    super::world::basic(&head.headers)
}

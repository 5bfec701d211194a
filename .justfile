# The ten commands that people use. `just` lists them; each also works when typed as it stands here.

[private]
default:
    @just --list --unsorted

# Run the proxy on 127.0.0.1:5050, with the arguments of `regpass serve`
run *ARGUMENTS:
    cargo run --release -- {{ARGUMENTS}}

# Run it without internet, in front of simulated registries
offline:
    cargo run --example offline

# Compile everything without running it
check:
    cargo check --all-targets

# Format the code
format:
    cargo fmt

# Lint, warnings denied
lint:
    cargo clippy --all-targets -- -D warnings

# Run the tests: all, suites (unit it floors clients doc examples), or those whose name contains a word
test *NAMES:
    tests/run {{NAMES}}

# Show the API documentation
doc:
    cargo doc --no-deps --open

# Check dependencies: bans, licenses, sources
deny:
    cargo deny --config .cargo/deny.toml check bans licenses sources

# Write the measured tables of docs/registries.md
registries:
    REGPASS_WRITE_DOCS=1 tests/run registries::

# Pass the whole gate
ci:
    .ci/run

//! The program `remotemedia`: everything is in [`remotemedia::cli`].

fn main() {
    std::process::exit(remotemedia::cli::main(std::env::args().skip(1)));
}

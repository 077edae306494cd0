//! With which methods a path may be asked. A preflight of a browser is answered without any work, whatever the path.

use super::{HttpResponse, TEXT};

/// The methods that a path takes beside `OPTIONS`. VictoriaMetrics' own commands, such as `/snapshot/create`, take any, since its tools
/// send them with `GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// What only reads: `GET`, `HEAD`, and `POST`, as clients send long arguments.
    Read,
    /// What writes or deletes: `POST` and `PUT`.
    Write,
}

impl Methods {
    /// Whether a method is one of these.
    ///
    /// # Errors
    /// The reply to send instead.
    pub fn check(self, method: &str) -> Result<(), HttpResponse> {
        let (taken, headers): (&[&str], _) = match self {
            Self::Read => (&["GET", "HEAD", "POST"], &[("allow", "GET, HEAD, OPTIONS, POST")]),
            Self::Write => (&["POST", "PUT"], &[("allow", "OPTIONS, POST, PUT")]),
        };
        if taken.contains(&method) {
            return Ok(());
        }
        Err(HttpResponse { headers, ..HttpResponse::new(405, TEXT, "Method Not Allowed\n") })
    }
}

/// The reply to `OPTIONS`, with the headers that Prometheus sends a page of another origin.
pub fn preflight() -> HttpResponse {
    let headers = &[
        ("access-control-allow-headers", "Accept, Authorization, Content-Type, Origin"),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "Date"),
    ];
    HttpResponse { headers, ..HttpResponse::new(204, TEXT, "") }
}

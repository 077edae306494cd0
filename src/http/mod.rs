//! Requests and replies as the server spells them (engine-behaviour §1).

pub mod arguments;
pub mod methods;
pub mod metrics;
pub mod prometheus;
pub mod route;
pub mod status;
pub mod transfer;

use crate::error::Error;
use bytes::Bytes;

/// The `content-type` of the server's JSON replies.
pub const JSON: &str = "application/json";
/// The `content-type` of the server's texts.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// A request, without its transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Such as `GET`, in upper case.
    pub method: String,
    /// Path and query, such as `/snapshot/delete?snapshot=…`.
    pub uri: String,
    /// The `content-type` header; empty when there is none.
    pub content_type: String,
    /// The `content-encoding` header; empty when there is none.
    pub content_encoding: String,
    /// The body; empty when there is none.
    pub body: Bytes,
}

impl HttpRequest {
    /// The path, in which slashes are never doubled: clients put one behind an address that ends with one.
    pub fn path(&self) -> String {
        let mut path = self.uri.split('?').next().unwrap_or_default().to_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        path
    }
}

/// A reply, without its transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The `content-type` header.
    pub content_type: &'static str,
    /// The headers beside it: names in lower case, and values.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Vec<u8>,
    /// What went wrong, where it is this that the reply puts into words.
    pub failure: Option<Error>,
}

impl HttpResponse {
    /// What the server answers to a request that it can't use.
    pub(crate) fn bad_request(request: &HttpRequest, text: &str) -> Self {
        Self::new(400, TEXT, format!("remoteAddr: \"in-process\"; requestURI: {}; {text}", request.uri))
    }

    /// A reply with no header but the type of its body.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: &[], body: body.into(), failure: None }
    }

    /// Remembers what the reply puts into words.
    pub(crate) fn of_failure(self, error: &Error) -> Self {
        Self { failure: Some(error.clone()), ..self }
    }
}

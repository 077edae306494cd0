//! The one error type of the engine: what went wrong, where, and what to do about it.

use std::fmt;

/// The kinds a caller can tell apart. They cross into JavaScript as the `code` property of the thrown `Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Another tab or process holds the database.
    Locked,
    /// The storage back end has no room left.
    Quota,
    /// Stored or imported bytes break the format's rules.
    Corrupt,
    /// The request is well formed, but this build or environment can't do it.
    Unsupported,
    /// The caller handed in something that can't be used.
    Invalid,
    /// The database was closed.
    Closed,
    /// The storage back end failed for a reason of its own.
    Storage,
    /// A file or directory that was asked for does not exist.
    NotFound,
    /// The caller took the request back.
    Aborted,
    /// A limit on series, samples or bytes was reached.
    Limit,
    /// The engine found a rule of its own broken, which nothing that was handed in can have caused.
    Internal,
}

impl ErrorKind {
    /// The `code` that JavaScript sees.
    pub fn code(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Quota => "quota",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Closed => "closed",
            Self::Storage => "storage",
            Self::NotFound => "not_found",
            Self::Aborted => "aborted",
            Self::Limit => "limit",
            Self::Internal => "internal",
        }
    }
}

/// An error with its kind and a message that says what, where and what to do.
///
/// A pointer: results are handed through every floor, and each of those places would move all of the error otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Cause>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause {
    kind: ErrorKind,
    case: Case,
    message: String,
}

/// Errors that servers answer in another way than the others of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// None of these.
    Any,
    /// `Limit`: it has taken longer than it may.
    Timeout,
    /// `Invalid`: an expression has a value, but none of a type that can be used.
    WrongType,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of any kind.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Cause { kind, case: Case::Any, message: message.into() }))
    }

    /// Bytes that break the format's rules.
    #[cold]
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// An argument that can't be used.
    #[cold]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A rule of the engine's own is broken.
    #[cold]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A request has taken longer than it may.
    #[cold]
    pub fn timeout(message: impl Into<String>) -> Self {
        Self(Box::new(Cause { kind: ErrorKind::Limit, case: Case::Timeout, message: message.into() }))
    }

    /// An expression whose value is of a type that can't be used.
    #[cold]
    pub fn wrong_type(message: impl Into<String>) -> Self {
        Self(Box::new(Cause { kind: ErrorKind::Invalid, case: Case::WrongType, message: message.into() }))
    }

    /// What this error is about.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether a request has taken longer than it may.
    pub fn is_timeout(&self) -> bool {
        self.0.case == Case::Timeout
    }

    /// Whether an expression has a value of a type that can't be used.
    pub fn is_wrong_type(&self) -> bool {
        self.0.case == Case::WrongType
    }

    /// The message alone, without the kind.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Puts where it happened in front of the message: `place: message`.
    #[must_use]
    #[cold]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.prepend(&place);
        self
    }

    /// Compiled once for places of all types.
    #[cold]
    #[inline(never)]
    fn prepend(&mut self, place: &dyn fmt::Display) {
        self.0.message = format!("{place}: {}", self.0.message);
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

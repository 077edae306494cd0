//! Where a file lies within one database: `data/small/2024_03/<part>/values.bin`, always relative, always with `/`.

use crate::error::{Error, Result};
use std::borrow::Borrow;
use std::fmt;
use std::rc::Rc;

/// A normalised relative path. The empty path is the root of the database. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Rc<str>);

impl FilePath {
    /// The root directory of the database.
    pub fn root() -> Self {
        Self("".into())
    }

    /// A path from text that the program itself has written down.
    ///
    /// # Errors
    /// `Invalid` for absolute paths and for empty, `.` and `..` components.
    pub fn new(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        if text.contains('\0') || text.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(Error::invalid(format!("{text:?} is no path inside a database")));
        }
        Ok(Self(text.into()))
    }

    /// The path of `name` in this directory. `name` may hold several components.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        debug_assert!(
            !name.is_empty() && !name.starts_with('/') && !name.ends_with('/'),
            "bad path component {name:?}"
        );
        if self.0.is_empty() { Self(name.into()) } else { Self(format!("{}/{name}", self.0).into()) }
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The directory that holds this path; the root is its own parent.
    pub fn parent(&self) -> Self {
        match self.0.rfind('/') {
            Some(at) => Self(self.0[..at].into()),
            None => Self::root(),
        }
    }

    /// The part of this path below `dir`: `None` when it does not lie below it.
    pub fn below(&self, dir: &Self) -> Option<&str> {
        if dir.0.is_empty() {
            return (!self.0.is_empty()).then_some(&self.0);
        }
        self.0.strip_prefix(&*dir.0)?.strip_prefix('/')
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for FilePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(root)" } else { &self.0 })
    }
}

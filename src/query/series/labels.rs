//! The labels of a row.

use std::rc::Rc;

/// The label with the metric's name.
pub const NAME: &str = "__name__";

/// Labels sorted by name, without empty values. Bytes that are no UTF-8 appear as U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(Rc<str>, Rc<str>)>);

impl Labels {
    /// Labels in any order. Empty values are left out; of labels with one name the last one stays.
    pub fn new(labels: impl IntoIterator<Item = (Rc<str>, Rc<str>)>) -> Self {
        let mut made = Self::default();
        for (name, value) in labels {
            made.set(&name, value);
        }
        made
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Rc<str>, &Rc<str>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Bytes of memory that they take, roughly: the texts of selected series are shared by all rows that are made of them.
    pub fn memory_bytes(&self) -> usize {
        self.0.len() * size_of::<(Rc<str>, Rc<str>)>()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a label; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.position(name).map_or("", |at| &self.0[at].1)
    }

    /// Gives a label a value; an empty one removes it.
    pub fn set(&mut self, name: &str, value: impl Into<Rc<str>>) {
        let value = value.into();
        match self.position(name) {
            Ok(at) if value.is_empty() => {
                self.0.remove(at);
            }
            Ok(at) => self.0[at].1 = value,
            Err(_) if value.is_empty() => {}
            Err(at) => self.0.insert(at, (name.into(), value)),
        }
    }

    /// Takes a label away.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.0.remove(at);
        }
    }

    /// Keeps the labels for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| (**found).cmp(name))
    }
}

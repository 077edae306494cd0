//! A map with sorted keys for hundreds or thousands of entries, most of which arrive in order.
//!
//! The standard library's B-tree is compiled anew for every pair of types, at 5 to 10 KB of WebAssembly; this is two columns
//! and a binary search, which all maps of one key type share.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// A map that is iterated in the order of its keys. Adding and removing elsewhere than at the end moves what lies behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedMap<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> SortedMap<K, V> {
    /// A map without entries.
    pub const fn new() -> Self {
        Self { keys: Vec::new(), values: Vec::new() }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.keys.iter().zip(&self.values)
    }

    /// The keys in order.
    pub fn keys(&self) -> std::slice::Iter<'_, K> {
        self.keys.iter()
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.values.iter()
    }

    /// The entry with the greatest key.
    pub fn last(&self) -> Option<(&K, &V)> {
        Some((self.keys.last()?, self.values.last()?))
    }

    /// Keeps the entries that `keep` says yes to; it is asked in the order of the keys.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let mut keys = std::mem::take(&mut self.keys).into_iter();
        let kept = &mut self.keys;
        self.values.retain_mut(|value| match keys.next() {
            Some(key) if keep(&key, value) => {
                kept.push(key);
                true
            }
            _ => false,
        });
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        place(&self.keys, key).ok().map(|at| &self.values[at])
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        place(&self.keys, key).ok().map(|at| &mut self.values[at])
    }

    /// Whether the key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        place(&self.keys, key).is_ok()
    }

    /// The entries whose keys are `first` or greater.
    pub fn starting_at<Q: Ord + ?Sized>(
        &self,
        first: &Q,
    ) -> std::iter::Zip<std::slice::Iter<'_, K>, std::slice::Iter<'_, V>>
    where
        K: Borrow<Q>,
    {
        let at = place(&self.keys, first).unwrap_or_else(|at| at);
        self.keys[at..].iter().zip(&self.values[at..])
    }

    /// Gives a key a value and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match place(&self.keys, &key) {
            Ok(at) => Some(std::mem::replace(&mut self.values[at], value)),
            Err(at) => {
                self.keys.insert(at, key);
                self.values.insert(at, value);
                None
            }
        }
    }

    /// The value of a key, which is made when it has none.
    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let at = match place(&self.keys, &key) {
            Ok(at) => at,
            Err(at) => {
                self.keys.insert(at, key);
                self.values.insert(at, value());
                at
            }
        };
        &mut self.values[at]
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = place(&self.keys, key).ok()?;
        self.keys.remove(at);
        Some(self.values.remove(at))
    }
}

/// Where `key` is, or else where it belongs. Not inlined, so that maps with the same keys share it.
#[inline(never)]
fn place<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], key: &Q) -> Result<usize, usize> {
    match keys.last().map(|last| last.borrow().cmp(key)) {
        // Most keys are new and the greatest so far.
        None | Some(Ordering::Less) => Err(keys.len()),
        Some(_) => keys.binary_search_by(|probe| probe.borrow().cmp(key)),
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::iter::Zip<std::slice::Iter<'a, K>, std::slice::Iter<'a, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.iter().zip(&self.values)
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Zip<std::vec::IntoIter<K>, std::vec::IntoIter<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter().zip(self.values)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_behaves_as_the_librarys_map_does() {
        let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
        for i in 0..2000_u64 {
            let key = i * i % 97;
            match i % 5 {
                0 => assert_eq!(map.remove(&key), model.remove(&key)),
                1 => *map.get_or_insert_with(key, || i) += 1,
                _ => assert_eq!(map.insert(key, i), model.insert(key, i)),
            }
            if i % 5 == 1 {
                *model.entry(key).or_insert(i) += 1;
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert!(map.iter().eq(&model));
            assert!(map.starting_at(&50).eq(model.range(50..)));
            assert_eq!(map.last(), model.last_key_value());
        }
        map.retain(|key, value| (*key + *value) % 2 == 0);
        model.retain(|key, value| (*key + *value) % 2 == 0);
        assert!(map.iter().eq(&model));
    }
}

//! How large the machine of a regular expression is, read off its text: what a match costs for each byte of a value.
//!
//! The engine keeps a thread for each state that may be reached and moves all of them on at each character. Counted repetitions
//! multiply: `(a?){30}` has thirty states, and `((a?){30}){30}` nine hundred.

/// A single match may take so many steps of the expression's machine, some tens of milliseconds, since it can't be interrupted.
pub const MAX_MATCH_STEPS: u64 = 1 << 19;

/// States of the machine, roughly; never fewer than one. The text must be an expression that was compiled.
pub fn states(pattern: &str) -> u64 {
    // States of each open group so far, and of the last thing in it, which a repetition takes anew.
    let mut open: Vec<(u64, u64)> = vec![(1, 0)];
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let own = match character {
            '(' => {
                open.push((1, 0));
                continue;
            }
            ')' => match open.pop() {
                Some((group, _)) if !open.is_empty() => group,
                _ => return u64::MAX,
            },
            '{' => {
                let counts: String = characters.by_ref().take_while(|character| *character != '}').collect();
                let most = counts.split(',').filter_map(|count| count.trim().parse().ok()).max().unwrap_or(1_u64);
                if let Some((group, last)) = open.last_mut() {
                    let added = last.saturating_mul(most.saturating_sub(1));
                    *group = group.saturating_add(added);
                    *last = last.saturating_add(added);
                }
                continue;
            }
            '[' => {
                // A bracket that stands first is one of the characters.
                characters.next_if_eq(&'^');
                characters.next_if_eq(&']');
                while let Some(within) = characters.next() {
                    match within {
                        '\\' => drop(characters.next()),
                        ']' => break,
                        _ => {}
                    }
                }
                1
            }
            '\\' => {
                // A character by its number: what stands in the braces repeats nothing.
                if characters.next() == Some('x') && characters.next_if_eq(&'{').is_some() {
                    characters.by_ref().take_while(|character| *character != '}').for_each(drop);
                }
                1
            }
            _ => 1,
        };
        if let Some((group, last)) = open.last_mut() {
            *group = group.saturating_add(own);
            *last = own;
        }
    }
    open.first().map_or(1, |(group, _)| *group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_multiply() {
        assert!((3..=8).contains(&states("abc")));
        assert!((30..=100).contains(&states("(a?){30}")));
        assert!((900..=4_000).contains(&states("((((((((((a?){30}){30}))))))))")));
        assert!(states("(((a{1000}){1000}){1000}){1000}") >= 1_000_000_000_000);
        assert!(states("[a-z{9}]{3}") < 20);
        assert!(states(r"\{9\}") < 20);
        assert!(states("a{2,}b{,3}") < 20);
        assert!(states(r"(\x{61}\x{62}){3}") < 20);
    }
}

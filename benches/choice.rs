//! What a word of the command line means, of things that have names. Nothing is no answer: it would look as if all were well.

/// The places of those with `word` in their name, at most so many: of more the one whose name it is.
///
/// # Errors
/// If there is none, or there are too many: in words, with the names.
pub fn choose(kind: &str, word: &str, names: &[impl AsRef<str>], most: usize) -> Result<Vec<usize>, String> {
    let name = |place: &usize| names[*place].as_ref();
    let places: Vec<usize> = (0..names.len()).filter(|place| name(place).contains(word)).collect();
    if places.is_empty() {
        let names = list(names.iter().map(AsRef::as_ref));
        return Err(format!("no {kind} has {word:?} in its name; there are{names}"));
    }
    if places.len() <= most {
        return Ok(places);
    }
    match places.iter().find(|place| name(place) == word) {
        Some(place) => Ok(vec![*place]),
        None => Err(format!("more than {most} {kind} has {word:?} in its name{}", list(places.iter().map(name)))),
    }
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.fold(":".into(), |list, name| list + "\n  " + name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["send 1 KiB", "send 1 KiB, lent", "receive"];

    #[test]
    fn a_part_of_a_name_means_all_that_have_it() {
        assert_eq!(choose("path", "send", &NAMES, usize::MAX), Ok(vec![0, 1]));
        assert_eq!(choose("path", "", &NAMES, usize::MAX), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn one_is_meant_by_its_name_or_by_what_no_other_has() {
        for (word, place) in [("send 1 KiB", 0), ("lent", 1), ("rec", 2)] {
            assert_eq!(choose("path", word, &NAMES, 1), Ok(vec![place]));
        }
    }

    #[test]
    fn what_means_nothing_is_told_with_the_names() {
        let told = "no path has \"sent\" in its name; there are:\n  send 1 KiB\n  send 1 KiB, lent\n  receive";
        for most in [1, usize::MAX] {
            assert_eq!(choose("path", "sent", &NAMES, most), Err(told.into()));
        }
        let told = "more than 1 path has \"send\" in its name:\n  send 1 KiB\n  send 1 KiB, lent";
        assert_eq!(choose("path", "send", &NAMES, 1), Err(told.into()));
    }
}

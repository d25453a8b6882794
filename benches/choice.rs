//! What a word of the command line means, of things that have names. Nothing is no answer: it would look as if all were well.

/// The places of those with `word` in their name.
///
/// # Errors
/// If there is none: in words, with all the names.
pub fn containing(kind: &str, word: &str, names: &[impl AsRef<str>]) -> Result<Vec<usize>, String> {
    let places: Vec<usize> = (0..names.len()).filter(|place| names[*place].as_ref().contains(word)).collect();
    if places.is_empty() {
        let names = list(names.iter().map(AsRef::as_ref));
        return Err(format!("no {kind} has {word:?} in its name; there are{names}"));
    }
    Ok(places)
}

/// The place of the one with that name, or of the only one with `word` in it.
///
/// # Errors
/// If there is none, or more than one: in words, with the names.
pub fn named(kind: &str, word: &str, names: &[impl AsRef<str>]) -> Result<usize, String> {
    if let Some(place) = names.iter().position(|name| name.as_ref() == word) {
        return Ok(place);
    }
    match containing(kind, word, names)?[..] {
        [place] => Ok(place),
        ref places => {
            let names = list(places.iter().map(|place| names[*place].as_ref()));
            Err(format!("more than one {kind} has {word:?} in its name{names}"))
        }
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
        assert_eq!(containing("path", "send", &NAMES), Ok(vec![0, 1]));
        assert_eq!(containing("path", "", &NAMES), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn one_is_meant_by_its_name_or_by_what_no_other_has() {
        for (word, place) in [("send 1 KiB", 0), ("lent", 1), ("rec", 2)] {
            assert_eq!(named("path", word, &NAMES), Ok(place));
        }
    }

    #[test]
    fn what_means_nothing_is_told_with_the_names() {
        let told = "no path has \"sent\" in its name; there are:\n  send 1 KiB\n  send 1 KiB, lent\n  receive";
        assert_eq!(containing("path", "sent", &NAMES), Err(told.into()));
        assert_eq!(named("path", "sent", &NAMES), Err(told.into()));
        let told = "more than one path has \"send\" in its name:\n  send 1 KiB\n  send 1 KiB, lent";
        assert_eq!(named("path", "send", &NAMES), Err(told.into()));
    }
}

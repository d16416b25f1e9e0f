//! The names of users.

use std::collections::BTreeMap;

/// The users of `/etc/passwd`. No other list is read: a static program has no name service.
#[derive(Debug, Default)]
pub(crate) struct Users(BTreeMap<u32, String>);

impl Users {
    pub(crate) fn read() -> Self {
        let list = std::fs::read("/etc/passwd").unwrap_or_default();
        Self::of(&String::from_utf8_lossy(&list))
    }

    fn of(list: &str) -> Self {
        let mut users = BTreeMap::new();
        for line in list.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
            if let (false, Ok(uid)) = (name.is_empty(), uid.parse()) {
                // Of several names the first one counts, as for getpwuid(3).
                users.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        Self(users)
    }

    /// Returns the name of a user, if there is one.
    pub(crate) fn name(&self, uid: u32) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }

    /// Returns a user for people: the name, or the number.
    pub(crate) fn shown(&self, uid: u32) -> String {
        self.name(uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let users = Users::of("root:x:0:0::/:\ntoor:x:0:0::/:\n\n:x:3::\nbad:x:-1:\ncut:x\nd:*:7");
        assert_eq!((users.name(0), users.name(7)), (Some("root"), Some("d")));
        assert_eq!((users.name(3), users.name(1)), (None, None));
        assert_eq!(users.shown(3), "uid 3");
    }
}

//! Which files are meant: our database, and that of the Python plugin.

use crate::cycles::adopt::Places;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// Where the Python plugin kept its database unless told otherwise, from the home directory on.
const OLD_DEFAULT: &str = ".lightning/revenue_ops.db";

/// The files of one node on one network.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// Our database.
    pub own: PathBuf,
    pub python: Places,
}

/// What `revenue-ops-db-path` means: a relative path begins in the network's directory, `~` is the home
/// directory.
pub(super) fn expand(path: &str, lightning_dir: &Path, home: Option<&Path>) -> Result<PathBuf, String> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(lightning_dir.join(path)) };
    match (home, rest.strip_prefix('/')) {
        (_, None) if !rest.is_empty() => {
            Err(format!("revenue-ops-db-path: '{path}' names another user's home directory: use a full path"))
        }
        (None, _) => Err(format!(
            "revenue-ops-db-path: '{path}' needs a home directory, and HOME is not set: use a full path"
        )),
        (Some(home), rest) => Ok(home.join(rest.unwrap_or_default())),
    }
}

/// The files, given the configured path (empty: none), the network's directory, our own directory in it,
/// and the home directory.
pub(super) fn files(
    configured: &str,
    lightning_dir: &Path,
    data_dir: &Path,
    home: Option<&Path>,
) -> Result<Files, String> {
    let copy = data_dir.join("importing.db");
    if configured.is_empty() {
        let old_default = home.map(|home| home.join(OLD_DEFAULT)).filter(|path| Store::is_foreign(path));
        let own = beside_another(data_dir.join("revenue_ops.db"));
        return Ok(Files { own, python: Places { configured: None, old_default, copy } });
    }
    let path = expand(configured, lightning_dir, home)?;
    let foreign = Store::is_foreign(&path).then(|| path.clone());
    Ok(Files { own: beside_another(path), python: Places { configured: foreign, old_default: None, copy } })
}

/// Our database at this path, or beside it when another program's file is there, or was when ours was made.
fn beside_another(path: PathBuf) -> PathBuf {
    let beside = path.with_extension("v2.db");
    if Store::is_foreign(&path) || (!path.exists() && beside.exists()) { beside } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_in_the_networks_directory_or_at_home() {
        let (dir, home) = (Path::new("/ln/regtest"), Some(Path::new("/home/op")));
        for (path, wanted) in [
            ("books.db", "/ln/regtest/books.db"),
            ("a/books.db", "/ln/regtest/a/books.db"),
            ("/data/books.db", "/data/books.db"),
            ("~/books.db", "/home/op/books.db"),
            ("~/../books.db", "/home/op/../books.db"),
            ("~", "/home/op/"),
            ("a~/books.db", "/ln/regtest/a~/books.db"),
        ] {
            assert_eq!(expand(path, dir, home), Ok(wanted.into()), "{path}");
        }
        assert!(expand("~bob/books.db", dir, home).expect_err("another user").contains("full path"));
        assert!(expand("~/books.db", dir, None).expect_err("no home").contains("HOME is not set"));
        assert_eq!(expand("books.db", dir, None), Ok("/ln/regtest/books.db".into()));
    }
}

#![allow(clippy::unwrap_used)]
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const DIGEST: Digest = Digest([7; 32]);
const KEY: CacheKey<'static> = CacheKey { digest: &DIGEST, fingerprint: &[9; 32] };
const MOST: usize = 1 << 20;

/// A directory of this test alone, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("revenue-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Place(path)
    }

    fn key_file(&self) -> PathBuf {
        self.0.join("key")
    }

    fn open(&self) -> Cache {
        Cache::open(&self.0.join("cache"), &self.key_file()).unwrap()
    }

    fn artefact(&self) -> PathBuf {
        self.0.join("cache").join(KEY.file())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_put_is_found_again_by_the_next_start() {
    let place = Place::new("round");
    assert_eq!(place.open().get(KEY, MOST), None);
    place.open().put(KEY, b"machine code").unwrap();
    assert_eq!(place.open().get(KEY, MOST).unwrap().bytes(), b"machine code");
    assert_eq!([mode(&place.artefact()), mode(&place.key_file()), mode(&place.0)], [0o600, 0o600, 0o700]);
    assert_eq!(fs::read_dir(place.0.join("cache")).unwrap().count(), 1, "no scratch file stays");
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let place = Place::new("flip");
    let cache = place.open();
    cache.put(KEY, b"machine code").unwrap();
    let good = fs::read(place.artefact()).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(place.artefact(), &bad).unwrap();
        assert_eq!(cache.get(KEY, MOST), None, "byte {at}");
    }
    for bad in [&good[..good.len() - 1], &good[..10], &[], &[good.as_slice(), b"x"].concat()] {
        fs::write(place.artefact(), bad).unwrap();
        assert_eq!(cache.get(KEY, MOST), None);
    }
}

#[test]
fn an_artefact_of_another_module_or_setting_is_not_taken() {
    let place = Place::new("foreign");
    let cache = place.open();
    cache.put(KEY, b"machine code").unwrap();
    let digest = Digest([8; 32]);
    for key in [CacheKey { digest: &digest, ..KEY }, CacheKey { fingerprint: &[1; 32], ..KEY }] {
        fs::copy(place.artefact(), place.0.join("cache").join(key.file())).unwrap();
        assert_eq!(cache.get(key, MOST), None);
    }
    assert_eq!(cache.get(KEY, 4), None, "larger than its class allows");
}

#[test]
fn a_key_that_others_could_read_or_of_another_length_is_replaced() {
    let place = Place::new("key");
    place.open().put(KEY, b"machine code").unwrap();
    let first = fs::read(place.key_file()).unwrap();
    fs::set_permissions(place.key_file(), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(place.open().get(KEY, MOST), None);
    assert_ne!(fs::read(place.key_file()).unwrap(), first);
    assert_eq!(mode(&place.key_file()), 0o600);

    fs::write(place.key_file(), b"short").unwrap();
    place.open();
    assert_eq!(fs::read(place.key_file()).unwrap().len(), KEY_BYTES);
}

#[test]
fn old_artefacts_make_room() {
    let place = Place::new("prune");
    let cache = place.open();
    for name in 0..40 {
        let digest = Digest([name; 32]);
        cache.put(CacheKey { digest: &digest, ..KEY }, b"code").unwrap();
    }
    assert_eq!(fs::read_dir(place.0.join("cache")).unwrap().count(), MAX_KEPT);
    assert!(cache.get(CacheKey { digest: &Digest([39; 32]), ..KEY }, MOST).is_some());
}

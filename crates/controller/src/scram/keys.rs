//! What a server keeps of a salted password (RFC 5802).

use bytes::Bytes;
use hmac::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use metadata::scram::ScramMechanism;
use sha2::{Sha256, Sha512};

pub(super) struct Keys {
    /// H(HMAC(salted password, "Client Key"))
    pub stored_key: Bytes,
    /// HMAC(salted password, "Server Key")
    pub server_key: Bytes,
}

pub(super) fn derive(mechanism: ScramMechanism, salted_password: &[u8]) -> Keys {
    match mechanism {
        ScramMechanism::Sha256 => derive_with::<Hmac<Sha256>, Sha256>(salted_password),
        ScramMechanism::Sha512 => derive_with::<Hmac<Sha512>, Sha512>(salted_password),
    }
}

fn derive_with<M: Mac + KeyInit, D: Digest>(salted_password: &[u8]) -> Keys {
    let mac = |text: &[u8]| {
        let mut mac =
            <M as KeyInit>::new_from_slice(salted_password).expect("HMAC takes a key of any length");
        mac.update(text);
        mac.finalize().into_bytes()
    };
    Keys {
        stored_key: Bytes::copy_from_slice(&D::digest(mac(b"Client Key"))),
        server_key: Bytes::copy_from_slice(&mac(b"Server Key")),
    }
}

//! TLS as one more layer without I/O, in the idiom of the layers above it: bytes go in, bytes come out.

use std::error::Error;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore};

/// rustls's side of a byte stream.
pub struct Tls {
    tls: Connection,
    ended: bool,
}

/// What arrived through TLS.
pub enum Arrived<'a> {
    Bytes(&'a mut [u8]),
    /// The peer said that it will send no more.
    End,
}

impl Tls {
    pub fn new(tls: impl Into<Connection>) -> Self {
        Self { tls: tls.into(), ended: false }
    }

    /// The client's side. It trusts the certificates in a PEM file, or else those that browsers trust.
    pub fn client(host: &str, ca: Option<String>) -> Result<Self, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        match ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                for certificate in CertificateDer::pem_file_iter(path)? {
                    roots.add(certificate?)?;
                }
            }
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self::new(ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned())?)?))
    }

    /// Takes bytes off the front of `wire` until something has arrived, which is put into `buffer`; `None` when all are
    /// consumed. After an error there may be an alert to be [written](Self::write).
    pub fn receive<'a>(&mut self, wire: &mut &[u8], buffer: &'a mut [u8]) -> io::Result<Option<Arrived<'a>>> {
        while !self.ended {
            match self.tls.reader().read(buffer) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(Some(Arrived::End));
                }
                Ok(count) => return Ok(Some(Arrived::Bytes(&mut buffer[..count]))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if wire.is_empty() {
                return Ok(None);
            }
            self.tls.read_tls(wire)?;
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
        // What follows the end is nobody's.
        *wire = &[];
        Ok(None)
    }

    /// Takes bytes that are to be sent, up to 64 KiB that are not yet [written](Self::write); how many it took.
    pub fn send(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tls.writer().write_vectored(pieces)
    }

    /// Says that no more will be sent. Again and again is harmless.
    pub fn end(&mut self) {
        self.tls.send_close_notify();
    }

    /// Writes all that is to go out.
    pub fn write(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(stream)?;
        }
        Ok(())
    }
}

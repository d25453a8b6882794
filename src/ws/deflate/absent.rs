//! What stands in the place of compression without the feature `deflate`: types without values.

use alloc::string::String;
use alloc::vec::Vec;

use super::Error;
use super::frame::Role;
use super::handshake::HandshakeError;
use crate::http::LimitsError;

/// How messages are compressed: without the feature `deflate` in no way, so that there is no value of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeflateConfig {}

impl DeflateConfig {
    pub(super) const fn validate(&self) -> Result<(), LimitsError> {
        match *self {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Agreed {}

#[derive(Debug)]
pub(super) enum Inflater {}

/// Never made: the field is what the real one has.
#[derive(Debug)]
pub(super) struct Deflate {
    pub(super) inflater: Inflater,
}

impl Deflate {
    pub(super) const fn new(_: Role, agreed: Agreed, _: DeflateConfig) -> Self {
        match agreed {}
    }

    pub(super) const fn is_worth(&self, _: usize) -> bool {
        match self.inflater {}
    }

    pub(super) const fn takes_prepared(&self) -> bool {
        match self.inflater {}
    }

    pub(super) const fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        match self.inflater {}
    }

    pub(super) const fn release(&mut self) {
        match self.inflater {}
    }
}

impl Inflater {
    pub(super) fn inflate(&mut self, _: &[u8], _: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        match *self {}
    }

    pub(super) fn finish(&mut self, _: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        match *self {}
    }
}

pub(super) fn answer<'a>(config: &DeflateConfig, _: impl Iterator<Item = &'a str>) -> Option<(Agreed, String)> {
    match *config {}
}

pub(super) fn offer(config: &DeflateConfig) -> String {
    match *config {}
}

pub(super) fn check<'a>(
    config: &DeflateConfig,
    _: impl Iterator<Item = &'a str>,
) -> Result<Option<Agreed>, HandshakeError> {
    match *config {}
}

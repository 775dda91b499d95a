//! A TCP stream that gives up at the end of the call's time, so that a silent browser ends in a line that says so.
//! It never blocks in a read: the sandbox's sockets know no time-outs of their own, so it looks, waits a little, and looks again.
//! Must not know what is said over it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The shortest and the longest wait between two looks.
const SHORTEST: Duration = Duration::from_micros(500);
const LONGEST: Duration = Duration::from_millis(16);

/// A connected stream and when to give up.
#[derive(Debug)]
pub(crate) struct Timed {
    stream: TcpStream,
    ends: Instant,
}

impl Timed {
    /// Takes over a connected stream.
    ///
    /// # Errors
    /// The system's, when the stream cannot be made not to block.
    pub(crate) fn new(stream: TcpStream, ends: Instant) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, ends })
    }

    /// From now on gives up at this time.
    pub(crate) const fn set_end(&mut self, ends: Instant) {
        self.ends = ends;
    }

    fn patiently<T>(&mut self, mut attempt: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        let mut pause = SHORTEST;
        loop {
            match attempt(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = self.ends.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(LONGEST);
                }
                done => return done,
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.patiently(TcpStream::flush)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn silence_ends_and_words_arrive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let mut timed = Timed::new(stream, Instant::now() + Duration::from_millis(50)).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(timed.read(&mut buffer).unwrap_err().kind(), ErrorKind::TimedOut);
        timed.set_end(Instant::now() + Duration::from_secs(60));
        other.write_all(b"word").unwrap();
        assert_eq!(timed.read(&mut buffer).unwrap(), 4);
        drop(other);
        assert_eq!(timed.read(&mut buffer).unwrap(), 0);
    }
}

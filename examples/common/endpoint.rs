//! Text served on loopback, as Prometheus reads it.
#![allow(dead_code)] // each example uses a part

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A client that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers at `/metrics` with what a closure makes of the moment, on a thread of its own; dropping it ends and joins that.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens on a port of loopback, or on a free one for 0.
    pub(crate) fn open(port: u16, render: impl Fn() -> String + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let thread = thread::Builder::new()
            .name("endpoint".to_owned())
            .spawn(move || serve(&listener, &seen, &render))?;
        Ok(Self { address, is_over, thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // So that it looks. If nobody can connect any more, the thread ends with the process.
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok() {
            if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
                eprintln!("the endpoint panicked");
            }
        }
    }
}

fn serve(listener: &TcpListener, is_over: &AtomicBool, render: &dyn Fn() -> String) {
    for client in listener.incoming() {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = client.and_then(|client| answer(client, render)) {
            eprintln!("a client went away: {error}");
        }
    }
}

/// Reads a request and answers it.
fn answer(mut client: TcpStream, render: &dyn Fn() -> String) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut first = String::new();
    // A request line longer than this is not for us.
    BufReader::new(Read::by_ref(&mut client).take(8192)).read_line(&mut first)?;
    let (status, body) = if first.starts_with("GET /metrics ") {
        ("200 OK", render())
    } else {
        ("404 Not Found", "see /metrics\n".to_owned())
    };
    let length = body.len();
    write!(client, "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n")?;
    write!(client, "Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
    client.shutdown(Shutdown::Write)?;
    // What is left of the request is read, or closing would reset the connection under the answer.
    io::copy(&mut client.take(65536), &mut io::sink()).map(drop)
}

/// Reads an endpoint, as Prometheus does.
pub(crate) fn scrape(address: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    write!(connection, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without an end of its head")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("the answer is {head}").into());
    }
    Ok(body.to_owned())
}

/// The value of a series, given its name and labels in the order in which they are printed.
pub(crate) fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

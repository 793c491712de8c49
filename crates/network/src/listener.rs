//! Listening sockets: bound early so that a taken port stops the start, accepted from later.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    sync::Arc,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{ListenerSettings, NetworkError, ServerSettings};

/// A listener whose port is ours.
#[derive(Debug, Clone)]
pub struct BoundListener {
    /// The listener's name.
    pub name: Arc<str>,
    /// The address bound, with the real port where 0 was asked for.
    pub address: SocketAddr,
}

pub(crate) fn bind(
    listener: &ListenerSettings,
    settings: &ServerSettings,
) -> Result<(TcpListener, BoundListener), NetworkError> {
    let failed = |source: io::Error| NetworkError::Listen {
        listener: listener.name.clone(),
        host: listener.host.clone().unwrap_or_default(),
        port: listener.port,
        source,
    };
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    let mut tried = None;
    for address in addresses(listener).map_err(failed)? {
        result = listen(address, settings);
        tried = Some(address);
        // Without IPv6 in the kernel the wildcard falls back to IPv4; any other failure is final.
        let unsupported = matches!(&result, Err(error)
            if error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
                || error.kind() == io::ErrorKind::AddrNotAvailable);
        if !unsupported {
            break;
        }
    }
    let socket = result.map_err(|error| match tried {
        Some(address) if error.kind() == io::ErrorKind::AddrInUse => {
            NetworkError::AddressInUse { listener: listener.name.clone(), address }
        }
        _ => failed(error),
    })?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, BoundListener { name: Arc::from(listener.name.as_str()), address }))
}

/// Addresses to try in order. A host name is bound at one address, the IPv4 one first, as Java resolves it.
fn addresses(listener: &ListenerSettings) -> io::Result<Vec<SocketAddr>> {
    match listener.host.as_deref() {
        None | Some("") => Ok(vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, listener.port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, listener.port)),
        ]),
        Some(host) => {
            // IPv6 literals are written in brackets in `listeners`.
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let mut found: Vec<_> = (host, listener.port).to_socket_addrs()?.collect();
            found.sort_by_key(SocketAddr::is_ipv6);
            found.truncate(1);
            Ok(found)
        }
    }
}

fn listen(address: SocketAddr, settings: &ServerSettings) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit this one; it must stand before the window is negotiated.
    if let Some(bytes) = settings.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(settings.listen_backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

//! Which addresses are not on the public network. Pure; must not be softened by a grant, which is asked
//! by the caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is loopback, private, link-local (cloud metadata services among them), reserved, or
/// a way to one of those through a translator.
///
/// The lists are IANA's special-purpose registries (RFC 6890 and its successors). Each IPv6 form that
/// carries an IPv4 address is refused whole, but for the mapped one, which is judged as what it carries:
/// a resolver gives it, the others only an attacker or a tunnel does.
#[must_use]
pub fn is_blocked(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_blocked_v4(address),
        IpAddr::V6(address) => is_blocked_v6(address),
    }
}

fn is_blocked_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0 | 10 | 127, ..) => true,             // this network, private, loopback
        (100, 64..=127, _) => true,             // shared address space (RFC 6598); some clouds' metadata
        (169, 254, _) => true,                  // link-local, metadata
        (172, 16..=31, _) => true,              // private
        (192, 0, 0 | 2) => true,                // protocol assignments, documentation
        (192, 31, 196) => true,                 // AS112
        (192, 52, 193) => true,                 // AMT
        (192, 88, 99) => true,                  // 6to4 relays
        (192, 168, _) => true,                  // private
        (192, 175, 48) => true,                 // AS112
        (198, 18..=19, _) => true,              // benchmarks
        (198, 51, 100) | (203, 0, 113) => true, // documentation
        (224..=255, ..) => true,                // multicast, reserved, broadcast
        // Azure's platform address: public by number, the host's own agent by meaning.
        (168, 63, 129) => address.octets()[3] == 16,
        _ => false,
    }
}

fn is_blocked_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..=0x1ff, ..] => true, // protocol assignments: Teredo, benchmarks, ORCHID, AMT
        [0x2001, 0xdb8, ..] => true,     // documentation
        [0x2002, ..] => true,            // 6to4
        [0x2620, 0x4f, 0x8000, ..] => true, // AS112
        [0x3ff0..=0x3fff, ..] => true,   // documentation (RFC 9637)
        // Outside 2000::/3, the only range given out: loopback, IPv4-compatible, NAT64, unique local,
        // link-local, site-local, multicast, segment routing.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn blocked(text: &str) -> bool {
        is_blocked(text.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_blocked() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "168.63.129.16",
            "192.0.0.8",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.175.48.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0.0.0.0",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3ffe::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(blocked(text), "{text}");
        }
    }

    #[test]
    fn neighbours_of_the_ranges_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "2003::1",
        ] {
            assert!(!blocked(text), "{text}");
        }
    }

    proptest! {
        /// The standard library's own predicates, which know fewer ranges, never know one that we do not;
        /// and dressing an IPv4 address as IPv6 never makes it public.
        #[test]
        fn no_weaker_than_the_standard_library(v4: [u8; 4], v6: [u16; 8]) {
            let v4 = Ipv4Addr::from(v4);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_documentation() {
                prop_assert!(is_blocked(v4.into()));
            }
            for dressed in [v4.to_ipv6_mapped(), v4.to_ipv6_compatible()] {
                prop_assert!(is_blocked(dressed.into()) || !is_blocked(v4.into()));
            }
            let v6 = Ipv6Addr::from(v6);
            if v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast() || v6.is_loopback() {
                prop_assert!(is_blocked(v6.into()));
            }
        }
    }
}

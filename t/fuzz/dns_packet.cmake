tayori_fuzz(dns_packet NEEDS dns)

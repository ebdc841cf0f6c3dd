// pure · how an address is written, in the table, in events and in every line that a person reads.

/** `host:port`, with brackets round an IPv6 host. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

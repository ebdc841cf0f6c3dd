// pure · a host and a port as people write them.

/** `10.0.0.1:9000`, and `[fd00::1]:9000` where the host is an IPv6 address. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

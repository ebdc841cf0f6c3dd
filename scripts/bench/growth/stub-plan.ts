// pure · which stub server is which: id, policy and loopback address from its number alone.
// Must never give two servers one address: the proxy would take them for one.
import { formatSetup } from '../../../services/shared/packet.ts';

export type StubServer = { id: string; policy: string; host: string };

const HOSTS_PER_NET = 250;
const FIRST_NET = 16;

/** The servers with the numbers from `first` on. One listening port serves them all: their hosts tell them apart. */
export function stubServers(first: number, count: number, policies: number): StubServer[] {
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    return { id: `stub-${number + 1}`, policy: String((number % policies) + 1), host: loopbackHost(number) };
  });
}

/** A setup packet, as it goes out. Without a session the proxy keeps the server by its probes alone. */
export function stubSetup(
  { id, policy }: StubServer,
  listenPort: number,
  incarnation: string,
  hasSession: boolean,
): string {
  const withSession = formatSetup({ id, policy, listenPort, incarnation });
  return hasSession ? withSession : `${JSON.stringify({ ...JSON.parse(withSession), session: false })}\n`;
}

/** Part `at` of `parts` equal parts of `count` servers: the first number, and how many. */
export function shareOf(count: number, at: number, parts: number): { first: number; count: number } {
  const first = Math.floor((count * at) / parts);
  return { first, count: Math.floor((count * (at + 1)) / parts) - first };
}

// Linux takes every address of 127.0.0.0/8 for its own.
function loopbackHost(number: number): string {
  const host = (number % HOSTS_PER_NET) + 1;
  const net = Math.floor(number / HOSTS_PER_NET);
  return `127.${FIRST_NET + Math.floor(net / HOSTS_PER_NET)}.${net % HOSTS_PER_NET}.${host}`;
}

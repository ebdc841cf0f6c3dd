// pure · how clients behave: one function for each kind, begun again and again until its time is over.
import type { ClientConnection, Expected, SimulatedClient } from './client.ts';

/** `--client-timeout`, by default. */
const PACKET_TIMEOUT_MS = 10_000;
const GARBAGE = ['nonsense', '{"type":0,}', '[1,2]', '{"a":\u0000}', '}{', `{"a":"${'x'.repeat(9000)}"}`];
const REFUSED_PACKETS = [
  '{}',
  '{"type":7}',
  '{"type":2,"srcid":1,"destid":1,"payload":"an answer"}',
  JSON.stringify({ type: 0, srcid: 1, privPoliId: 1, payload: 'x'.repeat(1025) }),
];
const LARGE_BURST = [15, 40] as const;
const DEAF_WRITES = 24;
const DEAF_REQUESTS = 20;
const DEAF_PAUSE_MS = 40;
/** How many connections a squatter wants. */
const PLACES_WANTED = 40;
const FLOOD_WRITES = 8;
const FLOOD_PACKETS = 40;
const FLOOD_PAUSE_MS = 15;
/** How often a greedy client sees to it that it has as many requests open as it wants to have. */
const GREEDY_TIMES = 25;
const GREEDY_PAUSE_MS = 20;
/** "100 refusals in a row", and what comes in the same read. */
const MAX_REFUSALS = 100 + FLOOD_PACKETS;

type Behaviour = (client: SimulatedClient, isOver: () => boolean) => void;
/** @param done it can begin again after a while */
type Act = (client: SimulatedClient, done: () => void, isOver: () => boolean) => void;

/** Clients that any world can have. */
const PLAIN = {
  sequential: asking(() => 1),
  pipeline: asking(burstOf),
  oneshot: repeated(askOnce),
  'half-close': repeated((client, done) => askOnce(client, done).socket.end()),
  stall: asking(burstOf, stopReadingForAWhile),
  vanish: repeated(askAndVanish),
  drip: repeated(dripRequest),
  'cut-short': repeated((client, done) => {
    const connection = client.open();
    const { text, expected } = client.next(client.world.random.between(0, 2));
    const line = client.next(1).text;
    const half = line.slice(0, client.world.random.between(1, line.length - 3));
    connection.send(text + half, [...expected, expectedOf('refusal', client.world.nowMs)]);
    connection.socket.end();
    whenGone(connection, done);
  }),
  garbage: repeated((client, done) => {
    const connection = client.open();
    const { text, expected } = client.next(client.world.random.between(0, 3));
    const garbage = client.world.random.pick(GARBAGE);
    connection.send(text + garbage, [...expected, expectedOf('refusal', client.world.nowMs)]);
    whenGone(connection, done);
  }),
  forger: repeated(registerServersThatDoNotExist),
  /** Sends a packet that is refused between two requests. */
  refused: repeated((client, done) => {
    const connection = client.open();
    const [before, after] = [client.next(1), client.next(1)];
    const text = `${before.text}${client.world.random.pick(REFUSED_PACKETS)}\n${after.text}`;
    const refusal = expectedOf('refusal', client.world.nowMs);
    connection.send(text, [...before.expected, refusal, ...after.expected]);
    whenAnswered(connection, done);
  }),
  /** Begins a packet and does not end it. */
  half: repeated((client, done) => {
    const connection = client.open();
    const { text, expected } = client.next(1);
    const refusal = {
      ...expectedOf('refusal', client.world.nowMs),
      dueFromMs: client.world.nowMs + PACKET_TIMEOUT_MS,
    };
    connection.send(`${text}{"type":0`, [...expected, refusal]);
    whenGone(connection, done);
  }),
} satisfies Record<string, Behaviour>;

/** Clients that only worlds with a certain cause have. */
const OF_CAUSES = {
  /** Tens of requests in one write. */
  burster: asking(({ world }) => world.random.between(...LARGE_BURST)),
  /** Some of its requests are slow wherever they go. */
  dawdler: asking(burstOf),
  /** Some of its requests kill the process that reads them. */
  poisoner: repeated(askOnce),
  /** Sends and never reads. */
  deaf: repeated(sendWithoutReading),
  /** Holds connections and sends nothing. */
  squatter: repeated((client, done) => {
    for (let held = client.connections.size; held < PLACES_WANTED; held += 1)
      client.open().isAbandoned = true;
    client.host.after(500, done);
  }),
  /** Only sends what is refused. */
  flooder: repeated(flood),
  /** Has many requests open for a while, whatever becomes of them. */
  greedy: repeated(askWithoutWaiting),
} satisfies Record<string, Behaviour>;

const BEHAVIOURS = { ...PLAIN, ...OF_CAUSES };
export type ClientKind = keyof typeof BEHAVIOURS;
export const PLAIN_CLIENTS = Object.keys(PLAIN) as ClientKind[];

/** Starts what a client of its kind does; it ends by itself after `untilMs`. */
export function behave(client: SimulatedClient, untilMs: number): void {
  BEHAVIOURS[client.spec.kind](client, () => client.world.nowMs >= untilMs);
}

function repeated(act: Act): Behaviour {
  return (client, isOver) => {
    const again = (): void => {
      if (!isOver()) act(client, () => client.host.after(thinkMs(client), again), isOver);
    };
    again();
  };
}

// One connection for as long as it stands, `count` requests at a time.
function asking(
  count: (client: SimulatedClient) => number,
  afterSending: (connection: ClientConnection) => void = () => {},
): Behaviour {
  return (client, isOver) => {
    let connection = client.open();
    let isThinking = false;
    const ask = (): void => {
      isThinking = false;
      if (connection.isGone) {
        connection = client.open();
        connection.onProgress = onProgress;
      }
      const { text, expected } = client.next(count(client));
      connection.send(text, expected);
      afterSending(connection);
    };
    const onProgress = (): void => {
      if (isThinking || connection.due.length > 0) return;
      isThinking = true;
      if (!isOver()) client.host.after(thinkMs(client), ask);
      else if (!connection.isGone) connection.close();
    };
    connection.onProgress = onProgress;
    ask();
  };
}

function thinkMs({ world, spec }: SimulatedClient): number {
  return world.random.between(1, spec.thinkMs * 200) / 100;
}

function burstOf({ world, spec }: SimulatedClient): number {
  return world.random.between(1, spec.burst);
}

function expectedOf(kind: 'refusal' | 'any', sentMs: number): Expected {
  return { kind, payload: '', policy: '', sentMs, bytes: 0 };
}

// Closes the connection once nothing is due on it.
function whenAnswered(connection: ClientConnection, done: () => void): void {
  connection.onProgress = () => {
    if (connection.due.length > 0) return;
    connection.onProgress = () => {};
    if (!connection.isGone) connection.close();
    done();
  };
}

function whenGone(connection: ClientConnection, done: () => void): void {
  connection.onProgress = () => {
    if (!connection.isGone) return;
    connection.onProgress = () => {};
    done();
  };
}

function stopReadingForAWhile(connection: ClientConnection): void {
  const { host, world } = connection.client;
  connection.readsLate = true;
  connection.socket.pause();
  host.after(world.random.between(100, 3000), () => connection.socket.resume());
}

function askOnce(client: SimulatedClient, done: () => void): ClientConnection {
  const connection = client.open();
  const { text, expected } = client.next(1);
  connection.send(text, expected);
  whenAnswered(connection, done);
  return connection;
}

function askAndVanish(client: SimulatedClient, done: () => void): void {
  const { random } = client.world;
  const connection = client.open();
  const { text, expected } = client.next(burstOf(client));
  connection.send(text, expected);
  client.host.after(random.between(0, 400) / 100, () => {
    connection.abandon(random.between(0, 1) === 0);
    done();
  });
}

// One request in four pieces, with pauses between them.
function dripRequest(client: SimulatedClient, done: () => void): void {
  const { world, host } = client;
  const { random } = world;
  const connection = client.open();
  const { text, expected } = client.next(1);
  const cuts = Array.from({ length: 3 }, () => random.between(1, text.length - 2)).toSorted((a, b) => a - b);
  // The brace that completes the request is in the last piece.
  const pieces = [0, ...cuts].map((from, at) => text.slice(from, cuts[at] ?? text.length));
  const drip = (): void => {
    const piece = pieces.shift() ?? '';
    const isLast = pieces.length === 0;
    connection.send(piece, isLast ? expected.map((one) => ({ ...one, sentMs: world.nowMs })) : []);
    if (!isLast) host.after(random.between(1, 1500), drip);
  };
  whenAnswered(connection, done);
  const { onProgress } = connection;
  connection.onProgress = () => {
    if (pieces.length === 0 || connection.isGone) onProgress();
  };
  drip();
}

function registerServersThatDoNotExist(client: SimulatedClient, done: () => void): void {
  const connection = client.open();
  const setups = Array.from({ length: burstOf(client) }, () => {
    const port = client.world.random.between(20_000, 20_400);
    return `${JSON.stringify({ type: 1, id: `forged-${port}`, privPoliId: 'forged', listenport: port })}\n`;
  });
  const due = setups.map(() => expectedOf('any', client.world.nowMs));
  connection.send(setups.join(''), due);
  whenAnswered(connection, done);
}

function sendWithoutReading(client: SimulatedClient, done: () => void, isOver: () => boolean): void {
  const connection = client.open();
  // It never learns what was due.
  connection.isAbandoned = true;
  connection.socket.pause();
  client.world.deafConnections.add(connection);
  let writes = 0;
  const more = (): void => {
    writes += 1;
    if (connection.isGone || writes > DEAF_WRITES || isOver()) {
      client.host.after(DEAF_PAUSE_MS * DEAF_WRITES, () => {
        connection.abandon(true);
        done();
      });
      return;
    }
    const { text, expected } = client.next(DEAF_REQUESTS);
    const due = expected.map((one) => ({ ...one, kind: 'any' as const }));
    connection.send(text, due);
    client.host.after(DEAF_PAUSE_MS, more);
  };
  more();
}

function askWithoutWaiting(client: SimulatedClient, done: () => void): void {
  const { host, spec } = client;
  const connection = client.open();
  let times = 0;
  const more = (): void => {
    times += 1;
    if (connection.isGone || times > GREEDY_TIMES) {
      whenAnswered(connection, done);
      connection.onProgress();
      return;
    }
    const { text, expected } = client.next(spec.burst - connection.due.length);
    connection.send(text, expected);
    host.after(GREEDY_PAUSE_MS, more);
  };
  more();
}

function flood(client: SimulatedClient, done: () => void): void {
  const { world, host } = client;
  const connection = client.open();
  const due = Array.from({ length: FLOOD_PACKETS }, () => expectedOf('any', world.nowMs));
  connection.isAbandoned = true;
  let writes = 0;
  const more = (): void => {
    if (connection.isGone && connection.refused >= 100)
      world.reached('traits', 'a flood of refusals was cut off');
    writes += 1;
    if (connection.isGone || writes > FLOOD_WRITES) {
      connection.onProgress = () => {};
      if (!connection.isGone) connection.close();
      done();
      return;
    }
    connection.send('{}\n'.repeat(FLOOD_PACKETS), due);
    host.after(FLOOD_PAUSE_MS, more);
  };
  connection.onProgress = () => {
    if (connection.refused > MAX_REFUSALS)
      world.violate(
        'a client that only sends what is refused is cut off',
        `${host.name} after ${connection.refused} refusals`,
      );
  };
  more();
}

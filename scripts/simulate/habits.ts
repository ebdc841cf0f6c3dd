// pure · how clients behave, good and bad: each habit is one function, begun again and again until its time is over.
// Must never count as due what its client has not sent whole.
import type { ClientKind, ClientLink, Expected, SimulatedClient } from './client.ts';
import { beDeaf, flood, squat } from './mean-habits.ts';

/** `--client-timeout`, by default. */
const PACKET_TIMEOUT_MS = 10_000;
const TOO_LARGE = `{"a":"${'x'.repeat(9000)}"}`;
const BURST_MIN = 15;
const BURST_MAX = 40;

type Habit = (client: SimulatedClient, isOver: () => boolean) => void;

/** Starts what the client does by habit; it ends by itself once `untilMs` has come. */
export function takeUp(client: SimulatedClient, untilMs: number): void {
  const { timeline } = client.world;
  HABITS[client.spec.kind](client, () => timeline.nowMs >= untilMs);
}

const HABITS: Record<ClientKind, Habit> = {
  sequential: (client, isOver) =>
    keepAsking(
      client,
      isOver,
      () => 1,
      () => {},
    ),
  pipeline: (client, isOver) =>
    keepAsking(
      client,
      isOver,
      () => burstOf(client),
      () => {},
    ),
  stall: (client, isOver) => keepAsking(client, isOver, () => burstOf(client), stopReadingForAWhile),
  oneshot: (client, isOver) => repeat(client, isOver, (done) => askOnce(client, false, done)),
  'half-close': (client, isOver) => repeat(client, isOver, (done) => askOnce(client, true, done)),
  vanish: (client, isOver) => repeat(client, isOver, (done) => askAndVanish(client, done)),
  drip: (client, isOver) => repeat(client, isOver, (done) => dripRequest(client, done)),
  'cut-short': (client, isOver) => repeat(client, isOver, (done) => cutShort(client, done)),
  garbage: (client, isOver) => repeat(client, isOver, (done) => endInGarbage(client, done)),
  forger: (client, isOver) => repeat(client, isOver, (done) => forge(client, done)),
  burster: (client, isOver) =>
    keepAsking(
      client,
      isOver,
      () => client.world.random.between(BURST_MIN, BURST_MAX),
      () => {},
    ),
  dawdler: (client, isOver) =>
    keepAsking(
      client,
      isOver,
      () => burstOf(client),
      () => {},
    ),
  refused: (client, isOver) => repeat(client, isOver, (done) => beRefused(client, done)),
  half: (client, isOver) => repeat(client, isOver, (done) => sendHalf(client, done)),
  poisoner: (client, isOver) => repeat(client, isOver, (done) => askOnce(client, false, done)),
  deaf: (client, isOver) => repeat(client, isOver, (done) => beDeaf(client, isOver, done)),
  squatter: (client, isOver) => repeat(client, isOver, (done) => squat(client, done)),
  flooder: (client, isOver) => repeat(client, isOver, (done) => flood(client, done)),
};

function repeat(client: SimulatedClient, isOver: () => boolean, once: (done: () => void) => void): void {
  const again = (): void => {
    if (!isOver()) once(() => client.host.after(thinkMs(client), again));
  };
  again();
}

function thinkMs(client: SimulatedClient): number {
  return client.world.random.between(1, client.spec.thinkMs * 200) / 100;
}

function burstOf(client: SimulatedClient): number {
  return client.world.random.between(1, client.spec.burst);
}

function requests(client: SimulatedClient, count: number): { text: string; expected: Expected[] } {
  const all = Array.from({ length: count }, () => client.next());
  return { text: all.map(({ line }) => line).join(''), expected: all.map(({ expected }) => expected) };
}

// One connection for as long as it stands, `count` requests at a time.
function keepAsking(
  client: SimulatedClient,
  isOver: () => boolean,
  count: () => number,
  afterSending: (client: SimulatedClient, link: ClientLink) => void,
): void {
  let link = client.open();
  let isThinking = false;
  const ask = (): void => {
    isThinking = false;
    if (link.isGone) begin();
    const { text, expected } = requests(client, count());
    link.send(text, expected);
    afterSending(client, link);
  };
  const onProgress = (): void => {
    if (isThinking || link.due.length > 0) return;
    isThinking = true;
    if (!isOver()) client.host.after(thinkMs(client), ask);
    else if (!link.isGone) link.close();
  };
  const begin = (): void => {
    link = client.open();
    link.onProgress = onProgress;
  };
  link.onProgress = onProgress;
  ask();
}

function stopReadingForAWhile(client: SimulatedClient, link: ClientLink): void {
  link.readsLate = true;
  link.endpoint.pause();
  client.host.after(client.world.random.between(100, 3000), () => link.endpoint.resume());
}

function askOnce(client: SimulatedClient, halfCloses: boolean, done: () => void): void {
  const link = client.open();
  const { text, expected } = requests(client, 1);
  link.send(text, expected);
  if (halfCloses) link.endpoint.end();
  link.onProgress = () => {
    if (link.due.length > 0) return;
    link.onProgress = () => {};
    if (!link.isGone) link.close();
    done();
  };
}

function askAndVanish(client: SimulatedClient, done: () => void): void {
  const { random } = client.world;
  const link = client.open();
  const { text, expected } = requests(client, burstOf(client));
  link.send(text, expected);
  client.host.after(random.between(0, 400) / 100, () => {
    link.vanish(random.between(0, 1) === 0);
    done();
  });
}

function dripRequest(client: SimulatedClient, done: () => void): void {
  const { random, timeline } = client.world;
  const link = client.open();
  const { line, expected } = client.next();
  const cuts = Array.from({ length: 3 }, () => random.between(1, line.length - 2)).toSorted((a, b) => a - b);
  // The brace that completes the request is in the last piece.
  const pieces = [0, ...cuts].map((from, at) => line.slice(from, cuts[at] ?? line.length));
  const drip = (): void => {
    const piece = pieces.shift() ?? '';
    const isLast = pieces.length === 0;
    link.send(piece, isLast ? [{ ...expected, sentMs: timeline.nowMs }] : []);
    if (!isLast) client.host.after(random.between(1, 1500), drip);
  };
  link.onProgress = () => {
    if (pieces.length > 0 && !link.isGone) return;
    if (link.due.length > 0) return;
    link.onProgress = () => {};
    if (!link.isGone) link.close();
    done();
  };
  drip();
}

function cutShort(client: SimulatedClient, done: () => void): void {
  const link = client.open();
  const { text, expected } = requests(client, client.world.random.between(0, 2));
  const { line } = client.next();
  const half = line.slice(0, client.world.random.between(1, line.length - 3));
  link.send(text + half, [...expected, refusal(client)]);
  link.endpoint.end();
  untilEnd(link, done);
}

function endInGarbage(client: SimulatedClient, done: () => void): void {
  const link = client.open();
  const { text, expected } = requests(client, client.world.random.between(0, 3));
  const garbage = client.world.random.pick([
    'nonsense',
    '{"type":0,}',
    '[1,2]',
    '{"a":\u0000}',
    '}{',
    TOO_LARGE,
  ]);
  link.send(`${text}${garbage}`, [...expected, refusal(client)]);
  untilEnd(link, done);
}

function refusal(client: SimulatedClient): Expected {
  return { kind: 'refusal', payload: '', policy: '', sentMs: client.world.timeline.nowMs };
}

function untilEnd(link: ClientLink, done: () => void): void {
  link.onProgress = () => {
    if (!link.isGone) return;
    link.onProgress = () => {};
    done();
  };
}

// Registers servers that are not there.
function forge(client: SimulatedClient, done: () => void): void {
  const { random, timeline } = client.world;
  const link = client.open();
  const count = burstOf(client);
  const setups = Array.from({ length: count }, () => {
    const port = random.between(20_000, 20_400);
    return `${JSON.stringify({ type: 1, id: `forged-${port}`, privPoliId: 'forged', listenport: port })}\n`;
  });
  const due: Expected = { kind: 'any', payload: '', policy: '', sentMs: timeline.nowMs };
  link.send(
    setups.join(''),
    setups.map(() => due),
  );
  link.onProgress = () => {
    if (link.due.length > 0) return;
    link.onProgress = () => {};
    if (!link.isGone) link.close();
    done();
  };
}

const REFUSED_PACKETS = [
  '{}',
  '{"type":7}',
  '{"type":2,"srcid":1,"destid":1,"payload":"an answer"}',
  JSON.stringify({ type: 0, srcid: 1, privPoliId: 1, payload: 'x'.repeat(1025) }),
];

// A packet that is refused among requests that are not.
function beRefused(client: SimulatedClient, done: () => void): void {
  const link = client.open();
  const [before, after] = [requests(client, 1), requests(client, 1)];
  const packet = client.world.random.pick(REFUSED_PACKETS);
  link.send(`${before.text}${packet}\n${after.text}`, [
    ...before.expected,
    refusal(client),
    ...after.expected,
  ]);
  link.onProgress = () => {
    if (link.due.length > 0) return;
    link.onProgress = () => {};
    if (!link.isGone) link.close();
    done();
  };
}

// Begins a packet and never ends it: it is told so after ten seconds.
function sendHalf(client: SimulatedClient, done: () => void): void {
  const link = client.open();
  const { text, expected } = requests(client, 1);
  const { nowMs } = client.world.timeline;
  link.send(`${text}{"type":0`, [...expected, { ...refusal(client), sentMs: nowMs + PACKET_TIMEOUT_MS }]);
  untilEnd(link, done);
}

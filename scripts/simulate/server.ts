// pure · one simulated server: it registers, answers, and goes wrong in the ways in which servers do.
// Must never be better behaved than its scenario says, or answer out of order on one connection.
import { hash } from 'node:crypto';
import { FrameReader } from '../../services/shared/framing.ts';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import { formatAnswer, formatHeartbeat, formatLeave } from '../../services/shared/packet.ts';
import type { Endpoint } from './endpoint.ts';
import { Host } from './host.ts';
import { lieAbout, PROXY_ADDRESS, PROXY_PORT, type World } from './world.ts';

const REDIAL_MS = 80;
const REFUSED_MS = 1000;
const CONNECT_WITHIN_MS = 200;
const REPLY_WITHIN_MS = 1000;
const SILENCE_MS = 3000;
const LOOK_MS = 500;
// Answers that a slow or late server still owes go out before the next ones on their connection.
const RECOVERS_MS = 3000;
// So long after an address has changed hands the next probe has told who is there.
const NOTICED_WITHIN_MS = 1300;

export type ServerSpec = {
  id: number;
  policy: string;
  address: string;
  port: number;
  hasSession: boolean;
  keepsAlive: boolean;
  hasIncarnation: boolean;
  serviceMs: number;
};

/** Liars and late ones treat probes as they should, full liars nobody. */
export type Behaviour =
  | 'honest'
  | 'mute'
  | 'late'
  | 'liar'
  | 'full-liar'
  | 'garbler'
  | 'slow'
  | 'resetter'
  | 'cutter';

export class SimulatedServer {
  readonly spec: ServerSpec;
  readonly host: Host;
  behaviour: Behaviour = 'honest';
  /** Since when it is over its last fault; Infinity while it suffers one. */
  healthySinceMs = 0;
  /** Since when its machine has its address. */
  atAddressSinceMs = 0;
  /** Counts the beginnings and the ends of its faults. */
  changes = 0;
  session: Endpoint | null = null;
  /** It has told the proxy that it goes. */
  isLeaving = false;
  #faults = 0;
  #boots = 0;
  readonly #world: World;

  constructor(spec: ServerSpec, world: World) {
    this.spec = spec;
    this.#world = world;
    this.host = new Host(`server-${spec.id}`, spec.address, world.timeline);
    this.host.kill();
  }

  get name(): string {
    return this.host.name;
  }

  get isUp(): boolean {
    return this.host.isAlive && !this.host.isFrozen && !this.isLeaving;
  }

  get address(): string {
    return `${this.host.address}:${this.spec.port}`;
  }

  beginFault(): void {
    this.#faults += 1;
    this.changes += 1;
    this.healthySinceMs = Number.POSITIVE_INFINITY;
  }

  endFault(): void {
    this.#faults -= 1;
    this.changes += 1;
    if (this.#faults === 0) this.healthySinceMs = this.#world.timeline.nowMs + RECOVERS_MS;
  }

  endAllFaults(): void {
    this.#faults = 0;
    this.changes += 1;
    this.healthySinceMs = this.#world.timeline.nowMs + RECOVERS_MS;
  }

  start(address: string = this.host.address): void {
    const { network, trace } = this.#world;
    this.#boots += 1;
    this.isLeaving = false;
    this.session = null;
    this.host.address = address;
    this.host.revive();
    network.attach(this.host);
    this.#listen();
    trace(() => `${this.name} starts at ${this.address}`);
    this.register();
  }

  #listen(): void {
    const { network, timeline } = this.#world;
    this.atAddressSinceMs = timeline.nowMs;
    network.listen(this.host, this.spec.port, false, (connection) => this.#serve(connection));
  }

  /** Its machine gets another address, and the process is not told. */
  move(address: string): void {
    const { network } = this.#world;
    network.stopListening(this.host);
    network.move(this.host, address);
    this.#listen();
  }

  /** Ends the process at once. @param isAddressFreed whether the machine goes with it */
  crash(isAddressFreed: boolean): void {
    const { network } = this.#world;
    this.host.kill();
    network.stopListening(this.host);
    if (isAddressFreed) network.detach(this.host);
    this.session = null;
  }

  /** Tells the proxy that it goes; it ends when the proxy has closed the session. */
  leave(): void {
    this.isLeaving = true;
    this.session?.write(formatLeave(this.spec.id), 'utf8');
  }

  /** Sends the setup packet over a new connection, and keeps that if it is a session. */
  register(): void {
    const { network, timeline, random } = this.#world;
    const { id, policy, port, hasSession, keepsAlive, hasIncarnation } = this.spec;
    const connection = network.dial(this.host, PROXY_ADDRESS, PROXY_PORT);
    const reader = new FrameReader();
    let isRegistered = false;
    let isOver = false;
    let deadlineMs = timeline.nowMs + CONNECT_WITHIN_MS;
    if (hasSession) this.session = connection;
    const again = (ms: number): void => {
      if (isOver) return;
      isOver = true;
      connection.destroy();
      if (this.session === connection) this.session = null;
      else if (hasSession) return;
      if (!this.isLeaving) this.host.after(ms, () => this.register());
    };
    connection.on('connect', () => {
      deadlineMs = timeline.nowMs + REPLY_WITHIN_MS;
      const incarnation = hasIncarnation ? `boot-${this.#boots}` : undefined;
      const setup = { type: 1, id, privPoliId: policy, listenport: port, keepAlive: keepsAlive };
      connection.write(`${JSON.stringify({ ...setup, session: hasSession, incarnation })}\n`, 'utf8');
    });
    connection.on('data', (chunk) => {
      reader.feed(chunk);
      while (reader.next()) {
        const { type } = JSON.parse(reader.bytes.toString('utf8', reader.start, reader.end));
        deadlineMs = timeline.nowMs + SILENCE_MS;
        if (type === 3) connection.write(formatHeartbeat(id), 'utf8');
        else if (type === 1) isRegistered = true;
        else again(REFUSED_MS + random.between(0, 500));
        if (isRegistered && !hasSession) {
          isOver = true;
          connection.end();
        }
      }
    });
    const onGone = (): void => again(REDIAL_MS + random.between(0, 40));
    connection.on('error', onGone);
    connection.on('end', onGone);
    connection.on('close', onGone);
    const look = (): void => {
      if (isOver) return;
      if (timeline.nowMs >= deadlineMs) again(REDIAL_MS);
      else this.host.after(LOOK_MS, look);
    };
    this.host.after(CONNECT_WITHIN_MS, look);
  }

  #serve(connection: Endpoint): void {
    const { timeline } = this.#world;
    const reader = new FrameReader();
    let freeAtMs = 0;
    let isMute = false;
    connection.on('error', () => {});
    connection.on('data', (chunk) => {
      reader.feed(chunk);
      while (!isMute && reader.next()) {
        const packet = JSON.parse(reader.bytes.toString('utf8', reader.start, reader.end));
        if (packet.type !== 0) continue;
        const { srcid, payload } = packet as { srcid: string; payload: string };
        this.#checkPolicy(packet);
        // One that once says nothing stays silent: an answer to the next request would be taken for this one's.
        if (this.behaviour === 'mute') isMute = true;
        if (isMute) return;
        const isProbe = isHealthProbe({ clientId: srcid, payload });
        freeAtMs = Math.max(freeAtMs, timeline.nowMs + this.#serviceMs(isProbe));
        this.host.after(freeAtMs - timeline.nowMs, () => this.#answer(connection, srcid, payload));
      }
    });
  }

  #checkPolicy({
    srcid,
    payload,
    privPoliId,
  }: {
    srcid: string;
    payload: string;
    privPoliId: unknown;
  }): void {
    const { timeline, stalledUntilMs, violate } = this.#world;
    const isProbe = isHealthProbe({ clientId: srcid, payload });
    const isMisrouted = !isProbe && String(privPoliId) !== this.spec.policy;
    const couldBeKnownForMs = timeline.nowMs - Math.max(this.atAddressSinceMs, stalledUntilMs);
    // Who garbles its answers does not say who it is.
    if (isMisrouted && couldBeKnownForMs > NOTICED_WITHIN_MS && this.behaviour === 'honest')
      violate(
        'a policy only reaches its servers',
        `${this.name} got a request of policy ${String(privPoliId)}`,
      );
  }

  #serviceMs(isProbe: boolean): number {
    const { random } = this.#world;
    if (this.behaviour === 'late' && !isProbe) return random.between(1900, 3000);
    if (this.behaviour === 'slow') return random.between(600, 900);
    return random.between(0, this.spec.serviceMs * 100) / 100;
  }

  #answer(connection: Endpoint, clientId: string, payload: string): void {
    const isProbe = isHealthProbe({ clientId, payload });
    const answer = formatAnswer(this.spec.id, clientId, this.#digestFor(payload, isProbe));
    switch (this.behaviour) {
      case 'resetter':
        connection.reset();
        return;
      case 'cutter':
        connection.write(answer.slice(0, answer.length / 2), 'utf8');
        connection.destroy();
        return;
      case 'garbler':
        connection.write('garbage, not an answer\n', 'utf8');
        return;
      case 'honest':
      case 'mute':
      case 'late':
      case 'liar':
      case 'full-liar':
      case 'slow':
        connection.write(answer, 'utf8');
        if (!this.spec.keepsAlive) connection.end();
        return;
      default:
        this.behaviour satisfies never;
    }
  }

  #digestFor(payload: string, isProbe: boolean): string {
    const lies = this.behaviour === 'full-liar' || (this.behaviour === 'liar' && !isProbe);
    if (!lies) return hash('sha1', payload);
    this.#world.lies.add(payload);
    return hash('sha1', lieAbout(payload));
  }
}

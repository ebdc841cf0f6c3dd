// Answers in the place of the honest data path while faults are on, in the order of the requests. Only with --faults.
import { hash } from 'node:crypto';
import type net from 'node:net';
import { isHealthProbe } from '../../shared/health-probe.ts';
import { formatAnswer, type Id, type RequestPacket } from '../../shared/packet.ts';
import type { StandIn } from '../answer.ts';
import { HeldAnswers } from './held-answers.ts';
import { type Faults, Misbehaviour } from './misbehaviour.ts';

const NOISE = '<html><body><h1>502 Bad Gateway</h1></body></html>\n';

/** One per server: the faults that are on, and the connections that they have touched. */
export class Saboteur implements StandIn {
  readonly #serverId: Id;
  readonly #random: () => number;
  readonly #misbehaviour = new Misbehaviour();
  readonly #held = new Map<net.Socket, HeldAnswers>();
  readonly #muted = new Set<net.Socket>();

  /** @param random 0 (inclusive) to 1 (exclusive) */
  constructor(serverId: Id, random: () => number = Math.random) {
    this.#serverId = serverId;
    this.#random = random;
  }

  get faults(): Faults {
    return this.#misbehaviour.faults;
  }

  /**
   * Replaces the whole state; counts for what is held back too, so that healing shows at once.
   * A connection on which a request got no answer ends with the muteness: the answers of later requests would be
   * taken for those of the earlier ones.
   */
  setFaults(faults: Faults): void {
    this.#misbehaviour.set(faults);
    if (!faults.isMute) {
      for (const socket of this.#muted) this.#heldOf(socket).end('');
      this.#muted.clear();
    }
    for (const held of this.#held.values()) held.release();
  }

  // Healing releases everything at once, so that nothing waits which an honest answer could overtake.
  takes(): boolean {
    return this.#misbehaviour.isOn;
  }

  end(socket: net.Socket, lastWords: string): void {
    this.#heldOf(socket).end(this.#muted.has(socket) ? '' : lastWords);
  }

  release(socket: net.Socket): void {
    this.#heldOf(socket).release();
  }

  answer(socket: net.Socket, packet: RequestPacket): boolean {
    const held = this.#heldOf(socket);
    const { clientId, payload } = packet;
    burn(this.faults.burnMs);
    const conduct = this.#misbehaviour.decide(isHealthProbe(packet), this.#random);
    if (conduct === 'mute') this.#muted.add(socket);
    if (this.#muted.has(socket)) return true;
    const digested = conduct === 'lie' ? `not ${payload}` : payload;
    const answer = formatAnswer(this.#serverId, clientId, hash('sha1', digested));
    const isLast = conduct === 'truncated' || conduct === 'noise';
    if (isLast) held.end(conduct === 'noise' ? NOISE : answer.slice(0, answer.length / 2));
    else held.add(answer);
    return !isLast;
  }

  #heldOf(socket: net.Socket): HeldAnswers {
    const known = this.#held.get(socket);
    if (known !== undefined) return known;
    const held = new HeldAnswers(socket, () => this.faults.delayMs);
    this.#held.set(socket, held);
    socket.on('close', () => {
      this.#held.delete(socket);
      this.#muted.delete(socket);
    });
    return held;
  }
}

// By the process's own CPU time: under a quota the wall clock goes on while the process stands still.
function burn(ms: number): void {
  if (ms === 0) return;
  const startUs = cpuUs();
  while (cpuUs() - startUs < ms * 1_000);
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

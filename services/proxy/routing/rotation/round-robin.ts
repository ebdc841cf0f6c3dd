// Round robin: which member is next. Only `pick` moves the index, and only an eviction resets it. On the data path.
import { LocalTurn, nextEpoch, type Turn } from './turn.ts';

/** What a rotation needs to know of its members. */
export type RotationMember = {
  /** Place in the order of registration; smaller comes first. */
  readonly order: number;
  /** True when it can't take a request right now. */
  readonly isFull: boolean;
  /** It is to get the next request; false when another thread has just taken a member that gets one at a time. */
  claim(): boolean;
};

/** Round robin over members in the order of registration. */
export class RoundRobin<Member extends RotationMember> {
  readonly #members: Member[] = [];
  #turn: Turn;
  #epoch = 0;

  /** @param turn that of the same rotation in other threads, where there are any */
  constructor(turn: Turn = new LocalTurn()) {
    this.#turn = turn;
  }

  /** Which version of the list this is: of the same one, all threads have the same members. */
  get epoch(): number {
    return this.#epoch;
  }

  /** From now on the members are those of another thread's rotation at its `epoch`, and the turn is shared with it. */
  follow(turn: Turn, epoch: number): void {
    this.#turn = turn;
    this.#epoch = epoch;
  }

  /** The members in their order; a live view, never to be changed. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Index of the next member; 0 in an empty rotation. */
  get nextIndex(): number {
    return Math.max(0, this.#turn.read(this.#epoch));
  }

  /** Whose turn is next; null in an empty rotation. */
  get next(): Member | null {
    return this.#members[this.nextIndex] ?? null;
  }

  /** Puts a member at its place in the order. The next member stays the next one, unless the new one comes right before it. */
  add(member: Member): void {
    if (this.#members.includes(member)) return;
    const at = this.#members.findLastIndex(({ order }) => order <= member.order) + 1;
    this.#members.splice(at, 0, member);
    this.#changed((index) => (at < index ? index + 1 : index));
  }

  /** Takes a member out for a while; the next member stays the next one. */
  remove(member: Member): void {
    const at = this.#members.indexOf(member);
    if (at === -1) return;
    this.#members.splice(at, 1);
    this.#changed((index) => {
      const next = at < index ? index - 1 : index;
      return next < this.#members.length ? next : 0;
    });
  }

  /** Takes a member out for good and sets the index to 0, as the protocol says of an eviction. */
  evict(member: Member): void {
    this.remove(member);
    this.#changed(() => 0);
  }

  #changed(moved: (index: number) => number): void {
    this.#turn.change(this.#epoch, moved);
    this.#epoch = nextEpoch(this.#epoch);
  }

  /** Whether a member that is in neither list has room. */
  hasRoom(
    excluded: readonly unknown[] | null = null,
    passedOver: ReadonlySet<unknown> | null = null,
  ): boolean {
    return this.#members.some((member) => canTake(member, excluded, passedOver));
  }

  /**
   * Claims the next member among those that have room and are in neither list; the index moves past it.
   * @param excluded   a few: each member is looked for in all of it
   * @param passedOver many, which a whole pass has in common
   * @returns null, with the index unmoved, when there is none, or another thread knows a newer list
   */
  pick(
    excluded: readonly unknown[] | null = null,
    passedOver: ReadonlySet<unknown> | null = null,
  ): Member | null {
    const turn = this.#turn;
    const epoch = this.#epoch;
    for (let from = turn.read(epoch); from !== -1; from = turn.read(epoch)) {
      const at = this.#findFrom(from, excluded, passedOver);
      if (at === -1) return null;
      // Another thread may have picked meanwhile: then it is the next one's turn.
      const hasMoved = turn.move(epoch, from, at + 1 === this.#members.length ? 0 : at + 1);
      const member = this.#members[at] as Member;
      if (hasMoved && member.claim()) return member;
    }
    return null;
  }

  #findFrom(
    from: number,
    excluded: readonly unknown[] | null,
    passedOver: ReadonlySet<unknown> | null,
  ): number {
    const members = this.#members;
    const count = members.length;
    let at = from;
    for (let looked = 0; looked < count; looked += 1) {
      if (canTake(members[at] as Member, excluded, passedOver)) return at;
      at = at + 1 === count ? 0 : at + 1;
    }
    return -1;
  }
}

function canTake<Member extends RotationMember>(
  member: Member,
  excluded: readonly unknown[] | null,
  passedOver: ReadonlySet<unknown> | null,
): boolean {
  if (member.isFull || passedOver?.has(member) === true) return false;
  return excluded === null || !excluded.includes(member);
}

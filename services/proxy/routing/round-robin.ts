// Round robin: which member is next. Only `pick` moves the index, and only an eviction resets it. On the data path.

/** What a rotation needs to know of its members. */
export type RotationMember = {
  /** Place in the order of registration; smaller comes first. */
  readonly order: number;
  /** True when it can't take a request right now. */
  readonly isFull: boolean;
};

/** Round robin over members in the order of registration. */
export class RoundRobin<Member extends RotationMember> {
  readonly #members: Member[] = [];
  #nextIndex = 0;

  /** The members in their order; a live view, never to be changed. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Index of the next member; 0 in an empty rotation. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /** Whose turn is next; null in an empty rotation. */
  get next(): Member | null {
    return this.#members[this.#nextIndex] ?? null;
  }

  /** Puts a member at its place in the order. The next member stays the next one, unless the new one comes right before it. */
  add(member: Member): void {
    if (this.#members.includes(member)) return;
    const at = this.#members.findLastIndex(({ order }) => order <= member.order) + 1;
    this.#members.splice(at, 0, member);
    if (at < this.#nextIndex) this.#nextIndex += 1;
  }

  /** Takes a member out for a while; the next member stays the next one. */
  remove(member: Member): void {
    const at = this.#members.indexOf(member);
    if (at === -1) return;
    this.#members.splice(at, 1);
    if (at < this.#nextIndex) this.#nextIndex -= 1;
    if (this.#nextIndex >= this.#members.length) this.#nextIndex = 0;
  }

  /** Takes a member out for good and sets the index to 0, as the protocol says of an eviction. */
  evict(member: Member): void {
    this.remove(member);
    this.#nextIndex = 0;
  }

  /** Whether a member that is not in `excluded` has room. */
  hasRoom(excluded: readonly unknown[] | null = null): boolean {
    return this.#members.some((member) => canTake(member, excluded));
  }

  /**
   * The next member among those that have room and are not in `excluded`; the index moves past it.
   * @returns null, with the index unmoved, when there is none
   */
  pick(excluded: readonly unknown[] | null = null): Member | null {
    const members = this.#members;
    const count = members.length;
    let at = this.#nextIndex;
    for (let looked = 0; looked < count; looked += 1) {
      const member = members[at] as Member;
      at = at + 1 === count ? 0 : at + 1;
      if (canTake(member, excluded)) {
        this.#nextIndex = at;
        return member;
      }
    }
    return null;
  }
}

function canTake<Member extends RotationMember>(
  member: Member,
  excluded: readonly unknown[] | null,
): boolean {
  return !member.isFull && (excluded === null || !excluded.includes(member));
}

// pure · one policy's rotation: who may get a request, and whose turn it is. On the data path.
// Must never move the turn by looking: only `pick` moves it, and only eviction resets it.

/** What a rotation needs to know of its members. */
export type Turn = {
  /** Place in the order of registration; smaller comes first. */
  readonly order: number;
  /** True when it can't take a request right now. */
  readonly isFull: boolean;
};

/** Round robin over members in the order of registration. */
export class RoundRobin<Member extends Turn> {
  readonly #members: Member[] = [];
  #nextIndex = 0;

  /** The members in turn order; a live view, never to be changed. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Index of the member whose turn is next; 0 in an empty rotation. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /** Puts a member at its place in the order. Whose turn it is stays as it is, unless it comes in right there: then it is its. */
  add(member: Member): void {
    if (this.#members.includes(member)) return;
    const at = this.#members.findLastIndex(({ order }) => order <= member.order) + 1;
    this.#members.splice(at, 0, member);
    if (at < this.#nextIndex) this.#nextIndex += 1;
  }

  /** Takes a member out for a while; whose turn it is stays as it is. */
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

  /** Whether anybody that is not in `excluded` has room. */
  hasRoom(excluded: readonly Member[] | null = null): boolean {
    return this.#members.some((member) => canTake(member, excluded));
  }

  /**
   * The member whose turn it is among those that have room and are not in `excluded`; the turn moves past it.
   * @returns null, with the turn unmoved, when there is none
   */
  pick(excluded: readonly Member[] | null = null): Member | null {
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

function canTake<Member extends Turn>(member: Member, excluded: readonly Member[] | null): boolean {
  return !member.isFull && (excluded === null || !excluded.includes(member));
}

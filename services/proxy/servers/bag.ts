// pure · a collection without an order, for members that come and go by the thousand a second. On the data path.
// Must never leave anything behind of a member that has gone: a Set would.

export type BagMember = {
  /** Where it is in its bag; -1 when it is in none. The bag's alone to write. */
  place: number;
};

/**
 * Each member is in one bag at most.
 *
 * A Set under such churn makes a new table every few dozen members, and V8 has each old table point to the next one. As
 * soon as one of them has outlived a collection of young garbage it keeps all that follow, with the members that they
 * held: a fifth of all connections that were closed was copied twice, and stayed until the next full collection.
 */
export class Bag<Member extends BagMember> {
  readonly #members: Member[] = [];

  /** All members; a live view: whoever may add or delete some meanwhile has to go through a copy. */
  get members(): readonly Member[] {
    return this.#members;
  }

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    member.place = this.#members.length;
    this.#members.push(member);
  }

  /** Takes a member out; fine when it is in no bag. */
  delete(member: Member): void {
    const { place } = member;
    if (place === -1) return;
    const last = this.#members.pop() as Member;
    if (last !== member) {
      this.#members[place] = last;
      last.place = place;
    }
    member.place = -1;
  }
}

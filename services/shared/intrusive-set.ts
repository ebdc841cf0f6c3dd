// A set whose members know their places in it, for members that come and go by the thousand a second. On the data path.

export type SetMember = {
  /** Where it is in its set; -1 when it is in none. Written by the set alone. */
  place: number;
};

/**
 * Each member is in one set at most. The order is not kept.
 *
 * A Set under such churn makes a new table every few dozen members, and V8 has each old table point to the next one. As
 * soon as one of them has outlived a collection of young garbage it keeps all that follow, with the members that they
 * held: a fifth of all connections that were closed was copied twice, and stayed until the next full collection.
 */
export class IntrusiveSet<Member extends SetMember> {
  readonly #members: Member[] = [];

  /** All members; a live view, to be copied by a caller that may add or delete some meanwhile. */
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

  /** Takes a member out; fine when it is in no set. */
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

// How many connections the workers have, in shared memory: each writes its own, and all know the sum.
import type { Occupancy } from '../../clients/listener.ts';
import { ROW } from './rows.ts';

export class SharedPlaces implements Occupancy {
  readonly #cells: Int32Array;
  readonly #row: number;

  /**
   * @param buffer of `rowsBuffer`
   * @param worker its number, from 0: whose connections `note` counts
   */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#cells = new Int32Array(buffer);
    this.#row = worker * ROW;
  }

  get clients(): number {
    return this.#sum(0);
  }

  get servers(): number {
    return this.#sum(1);
  }

  note(clients: number, servers: number): void {
    this.#cells[this.#row] = clients;
    this.#cells[this.#row + 1] = servers;
  }

  #sum(at: number): number {
    let sum = 0;
    for (let row = at; row < this.#cells.length; row += ROW) sum += this.#cells[row] as number;
    return sum;
  }
}

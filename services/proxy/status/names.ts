// What the servers' hosts are called: by the reverse look-up of their addresses, which Docker answers with container names.
import { Resolver } from 'node:dns/promises';
import { isLoopback } from '../../shared/addresses.ts';

const TIMEOUT_MS = 1000;
const MAX_KNOWN = 4096;

type Reverse = (host: string) => Promise<string[]>;

/** Looks up once for each host, beside all else; a name that is not known yet is null. */
export class Names {
  readonly #known = new Map<string, string | null>();
  readonly #reverse: Reverse;

  constructor(reverse: Reverse = systemReverse()) {
    this.#reverse = reverse;
  }

  /** The name of a host; null where it has none, or none yet. */
  of(host: string): string | null {
    return this.#known.get(host) ?? null;
  }

  /** Begins to look a host up anew: an address goes from one container to another. */
  ask(host: string): void {
    // All that run on the proxy's own machine would have the same name.
    if (isLoopback(host)) return;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#reverse(host).then(
      ([name]) => void this.#known.set(host, name === undefined ? null : containerOf(name)),
      () => void this.#known.set(host, null),
    );
  }
}

function systemReverse(): Reverse {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  return (host) => resolver.reverse(host);
}

/** `project-server-p1-1.project_network`, as Docker has it, is `server-p1-1`; other names lose their domain. */
function containerOf(name: string): string {
  const [label = name, network = ''] = name.split('.');
  const project = network.slice(0, Math.max(0, network.lastIndexOf('_')));
  return project !== '' && label.startsWith(`${project}-`) ? label.slice(project.length + 1) : label;
}

// shell · the undo file: what a chaos run is about to break, written before it does, so that the next start can heal it.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../kit/failure.ts';
import { readProc } from '../kit/process-cost.ts';
import { CACHE } from '../kit/project.ts';
import type { SavedAliases } from './replicas.ts';

const VERSION = 1;

/** Aliases by network by replica. */
export type SavedNetworks = Readonly<Record<string, SavedAliases>>;

/** What the cluster was like before the run. */
export type FoundCluster = Readonly<{
  /** Service → number of replicas. */
  services: Readonly<Record<string, number>>;
  /** Replica → Docker's word for its state. */
  states: Readonly<Record<string, string>>;
  /** What it ran with, as the variables that Compose gets. */
  settings: Readonly<Record<string, string>>;
}>;

/** What the file says of a fault; a plan's fault is one. */
type NotedFault = Readonly<{ kind: string; targets: readonly string[] }>;

export type Undo = {
  version: typeof VERSION;
  /** The Compose project. */
  project: string;
  /** The process that runs the chaos. */
  pid: number;
  /** When it started, in clock ticks since boot, which distinguishes a reused pid; null where that can't be read. */
  pidStartedAt: string | null;
  /** null: it was not up. */
  found: FoundCluster | null;
  networks: SavedNetworks;
  faults: NotedFault[];
};

/** The undo file of this process. */
export type UndoLog = {
  /** Call before the fault's first call. @param networks the aliases of what it will hit */
  note(fault: NotedFault, networks?: SavedNetworks): void;
  /** Everything is healed: the file goes. */
  close(): void;
};

/**
 * Begins the undo file.
 * @throws Failure when another run holds it, Error when a killed run has left one that has not been healed
 */
export function openUndo(project: string, found: FoundCluster | null): UndoLog {
  const { pid } = process;
  const owner = { version: VERSION, project, pid, pidStartedAt: startOf(pid) } as const;
  const undo: Undo = { ...owner, found, networks: {}, faults: [] };
  const path = undoPath(project);
  mkdirSync(dirname(path), { recursive: true });
  claim(path, undo);
  return {
    // Synchronous: the fault may only begin when this is on its way to the disk, and two may begin at once.
    note(fault, networks = {}) {
      undo.faults.push(fault);
      undo.networks = { ...undo.networks, ...networks };
      renameSync(writeTemporary(path, undo), path);
    },
    close: () => removeUndo(project),
  };
}

/** The project's undo file; null when there is none. @throws Failure when it can't be understood */
export function readUndo(project: string): Undo | null {
  let text: string;
  try {
    text = readFileSync(undoPath(project), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return parseUndo(text, project);
}

/** Throws the project's undo file away: when it has been healed. */
export function removeUndo(project: string): void {
  rmSync(undoPath(project), { force: true });
}

/** Throws the project's undo file away because its cluster is gone, unless the run that wrote it goes on. */
export function forgetUndo(project: string): void {
  let undo: Undo | null = null;
  try {
    undo = readUndo(project);
  } catch {
    // What can't be understood is of no use either.
  }
  if (undo === null || !isOwnerAlive(undo)) removeUndo(project);
}

/** Whether the process that wrote it still runs. */
export function isOwnerAlive({ pid, pidStartedAt }: Undo): boolean {
  const startedAt = startOf(pid);
  if (pidStartedAt !== null) return startedAt === pidStartedAt;
  // Without /proc the pid alone has to do: better refuse than heal what a living run breaks.
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** @throws Failure when the run that wrote it is under way */
export function requireOwnerGone(undo: Undo): void {
  if (!isOwnerAlive(undo)) return;
  throw new Failure(
    `A chaos run on ${undo.project} is under way (pid ${undo.pid}).`,
    `Wait for its end, or end it with Ctrl-C in its terminal or "kill ${undo.pid}": it heals the cluster.`,
  );
}

/** From `/proc/<pid>/stat`: when the process started; null for one that has ended. */
export function parseStart(stat: string): string | null {
  // The second field is the program's name, which may hold blanks and parentheses: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startedAt] = [fields[0] ?? '', fields[19]];
  return 'ZXx'.includes(state) ? null : (startedAt ?? null);
}

function startOf(pid: number): string | null {
  return parseStart(readProc(`/proc/${pid}/stat`));
}

function undoPath(project: string): string {
  return join(CACHE, 'chaos', `${project}.undo.json`);
}

function parseUndo(text: string, project: string): Undo {
  try {
    const undo = JSON.parse(text) as Undo;
    if (undo.version === VERSION && undo.project === project) return undo;
  } catch {
    // A file that the machine's end has cut off is refused as one of another version is.
  }
  throw new Failure(
    `${undoPath(project)} describes a chaos run, and can't be understood.`,
    'Take the cluster down with "npm stop", which deletes it, and start it again.',
  );
}

// A link can't replace a file: of two runs that begin together one fails.
function claim(path: string, undo: Undo): void {
  const temporary = writeTemporary(path, undo);
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const other = parseUndo(readFileSync(path, 'utf8'), undo.project);
    requireOwnerGone(other);
    throw new Error(`What the run with pid ${other.pid} has left has not been healed.`, { cause: error });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeTemporary(path: string, undo: Undo): string {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(undo, null, 2)}\n`);
  return temporary;
}

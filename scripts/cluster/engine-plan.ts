// pure · decides from what was found on the machine what has to be installed and started.
import { isSupportedDebian, type OsRelease } from '../kit/packages.ts';

// The first engine that knows a health check's start interval, and the first Compose that passes it on.
const OLDEST_ENGINE = 25;
const OLDEST_COMPOSE = [2, 20] as const;

export type EngineFacts = {
  hasCli: boolean;
  /** The version of the engine that answers, or null when none does. */
  engineVersion: string | null;
  /** What the command line tool said when none answered. */
  engineProblem: string;
  composeVersion: string | null;
  hasDaemonProgram: boolean;
  /** DOCKER_HOST: the engine is not ours to start. */
  dockerHost: string;
  isRoot: boolean;
  os: OsRelease;
};

export type EnginePlan =
  | { kind: 'ready' }
  | { kind: 'act'; install: string[]; mustStart: boolean }
  | { kind: 'refuse'; what: string; next: string };

/** Decides what is missing for a Docker Engine with Compose v2, and whether it can be had here. */
export function planEngine(facts: EngineFacts): EnginePlan {
  const hasEngine = facts.engineVersion !== null;
  const hasCompose = facts.composeVersion !== null && isRecentCompose(facts.composeVersion);
  if (hasEngine && Number.parseInt(facts.engineVersion ?? '', 10) < OLDEST_ENGINE) {
    return refuse(
      `Docker Engine ${facts.engineVersion} is too old`,
      `Install Docker Engine ${OLDEST_ENGINE} or newer, then run the command again.`,
    );
  }
  if (hasEngine && hasCompose) return { kind: 'ready' };
  if (!hasEngine && facts.dockerHost !== '') {
    return refuse(
      `No Docker Engine answers at DOCKER_HOST=${facts.dockerHost}`,
      'Start that engine, or unset DOCKER_HOST, then run the command again.',
    );
  }
  if (!hasEngine && /permission denied/i.test(facts.engineProblem)) {
    return refuse(
      'This user may not talk to the Docker Engine',
      'Run the command as root, or add your user to the group "docker" and log in again.',
    );
  }
  const install = missingPackages(facts, hasEngine, hasCompose);
  if (!facts.isRoot) return refuse(describe(facts, hasEngine), howTo('needs root'));
  if (install.length > 0 && !isSupportedDebian(facts.os)) {
    return refuse(
      describe(facts, hasEngine),
      howTo(`is made for Debian 12 and 13, and this is ${facts.os.name}`),
    );
  }
  return { kind: 'act', install, mustStart: !hasEngine };
}

function missingPackages(facts: EngineFacts, hasEngine: boolean, hasCompose: boolean): string[] {
  const packages = [];
  if (!facts.hasCli) packages.push('docker-cli');
  if (!hasEngine && !facts.hasDaemonProgram) packages.push('docker.io');
  if (!hasCompose) packages.push('docker-compose', 'docker-buildx');
  return packages;
}

function describe(facts: EngineFacts, hasEngine: boolean): string {
  if (!facts.hasCli) return 'Docker is not installed';
  if (hasEngine && facts.composeVersion === null) return 'Docker has no Compose v2';
  if (hasEngine) return `Docker Compose ${facts.composeVersion} is too old`;
  return facts.hasDaemonProgram
    ? 'The Docker Engine is not running'
    : 'No Docker Engine is running or installed';
}

function howTo(why: string): string {
  return (
    `Setting it up by itself ${why}. Install and start Docker Engine ${OLDEST_ENGINE} or newer with the Compose plugin ` +
    `${OLDEST_COMPOSE.join('.')} or newer ("docker info" and "docker compose version" must both answer), then run the command again.`
  );
}

function isRecentCompose(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > OLDEST_COMPOSE[0] || (major === OLDEST_COMPOSE[0] && minor >= OLDEST_COMPOSE[1]);
}

function refuse(what: string, next: string): EnginePlan {
  return { kind: 'refuse', what: `${what}.`, next };
}

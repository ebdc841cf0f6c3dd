// The settings, from the environment and from .env: which of them reach the containers, which are wrong, and which have no effect.
import { readFile } from 'node:fs/promises';
import { clientVariables } from '../../services/client/options.ts';
import { parseWorkers, proxyVariables, readProxyOptions } from '../../services/proxy/options.ts';
import { readOptions as readServerOptions, serverVariables } from '../../services/server/options.ts';
import { NAMES_PATH, settingPath, UsageError, variableOf } from '../../services/shared/config.ts';
import { readSetting, savedSettings } from '../kit/project.ts';
import { nearest } from '../kit/words.ts';

/** What docker-compose.yml decides itself: each with what to set, or do, instead. */
export const SET_BY_COMPOSE: Readonly<Record<string, string>> = {
  PROXY_HOST: 'it is every address of its container',
  PROXY_PORT: 'PROXY_PUBLISH_PORT is the port on this machine',
  PROXY_ADMIN_HOST: 'it is every address of its container',
  PROXY_ADMIN_PORT: 'PROXY_PUBLISH_ADMIN_PORT is the port on this machine',
  PROXY_REGISTER_TOKEN_FILE: 'REGISTER_TOKEN_FILE is the file on this machine',
  SERVER_ID: 'it is the host name of each container',
  SERVER_POLICY: 'each service of docker-compose.yml has its own',
  SERVER_HOST: 'it is every address of its container',
  SERVER_PORT: 'it is 9000 in its container',
  SERVER_PROXY: 'it is the proxy of the cluster',
  SERVER_REGISTER_TOKEN_FILE: 'REGISTER_TOKEN_FILE is the file on this machine',
  SERVER_FAULTS: 'FAULTS=1 turns faults on',
  SERVER_CONTROL_PORT: 'it is 9100 in its container',
  CLIENT_PROXY: 'it is the proxy of the cluster',
};

/** Their variables are settings, whether these files are used or not. */
const OWN_FILES = ['docker-compose.yml', 'docker-compose.tls.yml'];
/** Read by the programs that the commands start, or by options of the lab's own commands. */
const OF_PROGRAMS =
  /^(?:COMPOSE|DOCKER|BUILDKIT|NODE|NPM|LOAD|CHAOS|BENCH|SOAK|SIMULATE|FUZZ)_|_PROXY$|^(?:NO_COLOR|FORCE_COLOR|TZ)$/i;

/** In the environment names that begin otherwise are those of anybody. */
const OURS = /^(?:PROXY|PROXIES|SERVERS?|CLIENT|REGISTER)_/;

/**
 * Warns of settings that have no effect, on standard error.
 * @throws UsageError for those of the roles that are wrong
 */
export async function checkSettings(): Promise<void> {
  const saved = Object.keys(await savedSettings());
  const warnings = settingsWithoutEffect(saved, Object.keys(process.env), await readComposeFiles());
  for (const warning of warnings) console.error(`Warning: ${warning}`);
  requireRoleSettings(process.env);
}

// Without the setting Compose reads an override file too.
async function readComposeFiles(): Promise<string[]> {
  const chosen = (readSetting('COMPOSE_FILE') ?? 'docker-compose.override.yml').split(':');
  const names = [...OWN_FILES, ...chosen];
  return await Promise.all(names.map((name) => readFile(settingPath(name), 'utf8').catch(() => '')));
}

/**
 * Reads the settings of the roles as their containers will. A container with a wrong one starts again and again, and by
 * then the one before it has gone.
 * @throws UsageError that names the variable, as far as that can be known without the files of the containers
 */
export function requireRoleSettings(environment: NodeJS.ProcessEnv): void {
  const { PROXY_WORKERS, ...proxy } = handedOn(proxyVariables(), environment);
  // How many threads the containers' Node can run, that of this machine does not say.
  checkRole('PROXY', () => parseWorkers(PROXY_WORKERS || 1));
  checkRole('PROXY', () => readProxyOptions([], proxy));
  const server = handedOn(serverVariables(), environment);
  checkRole('SERVER', () => readServerOptions([], { ...server, SERVER_POLICY: '1' }));
}

function handedOn(variables: readonly string[], environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // Files and folders are those of the containers.
  const chosen = variables.filter((name) => !(name in SET_BY_COMPOSE) && !NAMES_PATH.test(name));
  return Object.fromEntries(chosen.map((name) => [name, environment[name]]));
}

function checkRole(role: 'PROXY' | 'SERVER', read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [, option] = /^--([a-z-]+)/.exec(error.message) ?? [];
    const which = option === undefined ? '' : `${variableOf(role, option)}: `;
    throw new UsageError(`${which}${error.message} It is set in the environment or in .env.`);
  }
}

/** The variables of all roles. */
export function roleVariables(): string[] {
  return [...proxyVariables(), ...serverVariables(), ...clientVariables()];
}

/**
 * What to say of settings that do not reach the cluster: one line each.
 * @param saved what .env sets
 * @param inEnvironment all names of the environment, those of other programs too
 * @param composeFiles the texts of the Compose files: names in them are known
 */
export function settingsWithoutEffect(
  saved: readonly string[],
  inEnvironment: readonly string[],
  composeFiles: readonly string[],
): string[] {
  const inCompose = composeFiles.flatMap((text) => [...text.matchAll(/\$\{?([A-Za-z_]\w*)/g)]);
  const known = [...roleVariables(), ...inCompose.map(([, name = '']) => name)];
  const only = inEnvironment.filter((name) => OURS.test(name) && !saved.includes(name));
  const where = [
    ...saved.map((name) => [name, '.env'] as const),
    ...only.map((name) => [name, 'the environment'] as const),
  ];
  return where.flatMap(([name, place]) => {
    const instead = SET_BY_COMPOSE[name];
    if (instead !== undefined) return [`${name} in ${place} does not reach the cluster: ${instead}.`];
    if (known.includes(name)) return [];
    const [, role] = /^(PROXY|SERVER|CLIENT)_/.exec(name) ?? [];
    if (role === undefined && OF_PROGRAMS.test(name)) return [];
    const help = role === undefined ? 'start' : `run ${role.toLowerCase()}`;
    const meant = nearest(name, known);
    return [
      `${name} in ${place} has no effect: nothing here reads it. ${meant === null ? '' : `Is ${meant} meant? `}"npm ${help} -- --help" lists the settings.`,
    ];
  });
}

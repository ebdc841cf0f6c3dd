// Which role of the product each pod runs, and the options that its environment comes to, read by the product's own code.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/kit/project.ts';
import { type ProxyOptions, proxyVariables, readProxyOptions } from '../../services/proxy/options.ts';
import { readOptions, type ServerOptions, serverVariables } from '../../services/server/options.ts';
import { UsageError } from '../../services/shared/config.ts';
import { type Base, type Pods, podsOf } from './base.ts';

type Environment = Readonly<Record<string, string>>;

export type ProxyRole = { pods: Pods; options: ProxyOptions };
export type ServerRole = { pods: Pods; options: ServerOptions };
export type Roles = {
  proxies: readonly ProxyRole[];
  servers: readonly ServerRole[];
  problems: readonly string[];
};

type ComposeService = {
  command: string[];
  environment: Environment;
  stop_grace_period: string;
  healthcheck: { test: string[] };
};

const COMPOSE: { services: Record<string, ComposeService> & Record<'proxy' | 'server-p1', ComposeService> } =
  parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true });
/** How the Compose cluster, which is tested, runs each role. */
const PROXY_IN_COMPOSE = COMPOSE.services.proxy;
export const SERVER_IN_COMPOSE = COMPOSE.services['server-p1'];
/** The policies that it serves. */
export const POLICIES = Object.values(COMPOSE.services).flatMap(
  ({ environment }) => environment?.SERVER_POLICY ?? [],
);

/** @param tokenFile a file with a token that is long enough: it stands for the one that is mounted */
export function rolesOf(base: Base, tokenFile: string): Roles {
  const problems: string[] = [];
  const proxies: ProxyRole[] = [];
  const servers: ServerRole[] = [];
  for (const pods of podsOf(base)) {
    const environmentOf = (token: string, variables: readonly string[]): Environment => {
      const environment = readEnvironment(pods, variables, problems);
      if (!isMounted(environment[token], pods, base))
        problems.push(`${pods.where}: ${token} names no key of a Secret that is mounted`);
      return { ...environment, [token]: tokenFile };
    };
    try {
      if (isCommandOf(PROXY_IN_COMPOSE, pods)) {
        const environment = environmentOf('PROXY_REGISTER_TOKEN_FILE', proxyVariables());
        proxies.push({ pods, options: readProxyOptions([], environment) });
      } else if (isCommandOf(SERVER_IN_COMPOSE, pods)) {
        const environment = environmentOf('SERVER_REGISTER_TOKEN_FILE', serverVariables());
        servers.push({ pods, options: readOptions([], environment) });
      } else problems.push(`${pods.where}: its command is that of no role`);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(`${pods.where}: ${error.message}`);
    }
  }
  return { proxies, servers, problems };
}

function isCommandOf({ command }: ComposeService, { container }: Pods): boolean {
  return container.command?.join(' ') === command.join(' ');
}

function readEnvironment(
  { where, container }: Pods,
  variables: readonly string[],
  problems: string[],
): Environment {
  const { env = [] } = container;
  const names = env.map(({ name }) => name);
  for (const { name, value } of env) {
    if (!variables.includes(name)) problems.push(`${where}: no option has the variable ${name}`);
    if (value === undefined) problems.push(`${where}: ${name} has no value`);
  }
  for (const name of new Set(names.filter((each, at) => names.indexOf(each) !== at)))
    problems.push(`${where}: ${name} is there twice`);
  return Object.fromEntries(env.map(({ name, value = '' }) => [name, value]));
}

function isMounted(path: string | undefined, { spec, container }: Pods, { secrets }: Base): boolean {
  return (container.volumeMounts ?? []).some(({ name, mountPath }) => {
    const volume = spec.volumes?.find((each) => each.name === name);
    const keys = Object.keys(secrets.get(volume?.secret?.secretName ?? '') ?? {});
    return keys.some((key) => path === `${mountPath}/${key}`);
  });
}

// pure · the settings of the roles: which variables docker-compose.yml passes on to the containers, and which it does not.
import { clientVariables } from '../../services/client/options.ts';
import { proxyVariables } from '../../services/proxy/options.ts';
import { serverVariables } from '../../services/server/options.ts';

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

const OF_THE_CLUSTER = ['PROXY_PUBLISH_PORT', 'PROXY_PUBLISH_ADMIN_PORT'];

/** The variables of all roles. */
export function roleVariables(): string[] {
  return [...proxyVariables(), ...serverVariables(), ...clientVariables()];
}

/**
 * What to say of names in .env that look like a role's setting and do not reach the cluster: one line each.
 * @param names what .env sets
 */
export function settingsWithoutEffect(names: readonly string[]): string[] {
  const known = new Set([...roleVariables(), ...OF_THE_CLUSTER]);
  return names
    .filter((name) => /^(?:PROXY|SERVER|CLIENT)_/.test(name))
    .flatMap((name) => {
      const instead = SET_BY_COMPOSE[name];
      if (instead !== undefined) return [`${name} in .env does not reach the cluster: ${instead}.`];
      if (known.has(name)) return [];
      const role = name.slice(0, name.indexOf('_')).toLowerCase();
      return [`${name} in .env is no setting that anybody knows: "npm run ${role} -- --help" lists them.`];
    });
}

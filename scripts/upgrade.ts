// `npm run upgrade`: replaces the containers of the running cluster by new ones without losing requests.

import { hideBin } from 'yargs/helpers';
import { commandLine } from '../services/shared/config.ts';
import { bringUp } from './cluster/cluster.ts';
import { isUp, listContainers } from './cluster/containers.ts';
import { PREPARATION } from './cluster/preparation.ts';
import { prepareRegisterToken } from './cluster/secrets.ts';
import { readServerServices } from './cluster/services.ts';
import { checkSettings } from './cluster/settings.ts';
import { requireKnownCount, upgradeProxies, upgradeServers } from './cluster/upgrade.ts';
import { Failure } from './kit/failure.ts';
import { clusterName } from './kit/project.ts';
import { runScript } from './kit/script.ts';
import { runSteps } from './kit/steps.ts';

const CONTINUES =
  'Old and new servers may run side by side, which does no harm: "npm run upgrade" continues.';

await runScript('npm run upgrade --', CONTINUES, async (signal) => {
  await commandLine(hideBin(process.argv), 'npm run upgrade')
    .usage(
      '$0\n\nBrings a changed image or changed settings into the running cluster: builds the image; then for each policy\n' +
        'starts new servers, waits until they are ready, stops and removes the old ones; the proxies last, one by one.',
    )
    .epilogue(
      'Nothing is lost while servers are replaced. Each proxy is away for a moment: clients that know several, or\n' +
        'that try again for a few seconds, lose nothing. What is up to date stays as it is. Settings: as for npm start.\n' +
        'Exit codes: 0 upgraded, 1 a step failed, 2 no cluster is running, bad usage or a setting that is missing, 130 stopped by Ctrl-C.',
    )
    .parse();
  await checkSettings();
  await runSteps(signal, PREPARATION);
  const running = (await listContainers(clusterName(), signal)).filter(isUp);
  if (!running.some(({ service }) => service === 'proxy')) {
    throw new Failure('The cluster is not running.', '"npm start" starts it with the new image.', {
      exitCode: 2,
    });
  }
  requireKnownCount(running.filter(({ service }) => service === 'proxy').length);
  await prepareRegisterToken();
  const services = await readServerServices({}, signal);
  await runSteps(signal, [
    ...services.map((service) => ({
      title: `${service.name} (policy ${service.policy})`,
      run: upgradeServers.bind(null, service),
    })),
    { title: 'proxy', run: (progress) => upgradeProxies(services, progress) },
    { title: 'Cluster', run: (progress) => bringUp({}, progress) },
  ]);
});

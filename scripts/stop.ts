// `npm stop`: takes the cluster down. Must never fail because there is nothing to take down.
import { hideBin } from 'yargs/helpers';
import { commandLine } from '../services/shared/config.ts';
import { takeDown } from './bootstrap/cluster.ts';
import { runScript } from './bootstrap/script.ts';
import { runSteps } from './bootstrap/steps.ts';

await runScript('npm stop --', async (signal) => {
  await commandLine(hideBin(process.argv), 'npm stop --')
    .usage('$0\n\nTakes the cluster down: no container and no network is left. The Docker Engine goes on.')
    .epilogue(
      'Setting, from the environment: COMPOSE_PROJECT_NAME (policy-proxy). Exit codes: 0 it is down, 1 it is not.',
    )
    .parse();
  await runSteps(signal, [{ title: 'Cluster', run: (progress) => takeDown({}, progress) }]);
});

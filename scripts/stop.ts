// `npm stop`: takes the cluster down; with nothing to take down it does nothing.
import { hideBin } from 'yargs/helpers';
import { commandLine } from '../services/shared/config.ts';
import { MAY_BE_LEFT, takeDown } from './cluster/cluster.ts';
import { forgetUndo } from './cluster/undo.ts';
import { clusterName } from './kit/project.ts';
import { runScript } from './kit/script.ts';
import { runSteps } from './kit/steps.ts';

await runScript('npm stop --', MAY_BE_LEFT, async (signal) => {
  await commandLine(hideBin(process.argv), 'npm stop')
    .usage(
      '$0\n\nTakes the cluster down: no container and no network is left. The Docker Engine continues to run.',
    )
    .epilogue(
      'Setting, from the environment or from .env: COMPOSE_PROJECT_NAME (policy-proxy).\n' +
        'Exit codes: 0 it is down, 1 it is not, 2 bad usage or a setting that is wrong, 130 stopped by Ctrl-C.',
    )
    .parse();
  await runSteps(signal, [{ title: 'Cluster', run: (progress) => takeDown({}, progress) }]);
  // What a killed chaos run had left is gone with the cluster.
  forgetUndo(clusterName());
});

// shell · writes one line to the log, with the id that it is given.
// Must never do more: the test looks at its whole output.
import { createLog } from '../services/shared/log.ts';

createLog('test', 'info', 'text').info('hello', { id: process.argv[2] });

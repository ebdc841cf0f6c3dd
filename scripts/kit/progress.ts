export { type Outcome, type Progress, SILENT } from './steps.ts';

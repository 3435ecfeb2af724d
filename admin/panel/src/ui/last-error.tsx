// Why the last attempt failed: its beginning, and all of it for who wants to know.
import { Failure } from "./failure";
import styles from "./inspector.module.css";

const BEGINNING = 160;

export function LastError({ error }: { error: string }) {
  const long = error.length > BEGINNING;
  return (
    <>
      <Failure message={`The last attempt failed: ${long ? `${error.slice(0, BEGINNING)}…` : error}`} />
      {long && (
        <details className={styles.whole}>
          <summary>The whole error</summary>
          <pre className={styles.json}>{error}</pre>
        </details>
      )}
    </>
  );
}

// The sign-in page. What is wrong is said in place; after too many attempts the wait is counted down.
import { getRouteApi } from "@tanstack/react-router";
import { useActionState, useEffect, useState } from "react";
import { client, explain, type Fault } from "../graphql/client";
import { graphql } from "../graphql/tada";
import { Button } from "../ui/button";
import { Failure } from "../ui/failure";
import { TextField } from "../ui/field";
import { count } from "../ui/relative";
import styles from "./sign-in.module.css";
import { destination } from "./sign-in-again";

const LOG_IN = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) { user { id } userErrors { code field message retryAfter } }
  }
`);

interface Refusal extends Fault {
  login: string;
  /** When the next attempt may succeed, in milliseconds since 1970. */
  until?: number;
}

const route = getRouteApi("/sign-in");

export default function SignIn() {
  const { to } = route.useSearch();
  const [refusal, submit, busy] = useActionState(
    async (_: Refusal | undefined, form: FormData): Promise<Refusal | undefined> => {
      const [login, password] = [String(form.get("login")), String(form.get("password"))];
      const { data, error } = await client
        .mutation(LOG_IN, { input: { login, password, session: "COOKIE" } })
        .toPromise();
      if (error) return { ...explain(error), login };
      const refused = data?.logIn.userErrors[0];
      if (refused) {
        const wait = refused.retryAfter ? { until: Date.now() + refused.retryAfter * 1000 } : {};
        return { message: refused.message, login, ...wait };
      }
      location.assign(destination(to));
      // The button stays busy until the next page is there.
      await new Promise(() => {});
    },
    undefined,
  );
  const left = useSecondsUntil(refusal?.until);

  return (
    <main className={styles.page}>
      <form action={submit} className={styles.form} aria-labelledby="sign-in">
        <h1 id="sign-in">Snaphaven admin</h1>
        <p className={styles.hint}>{to ? "Sign in to go on where you were." : "For admins and operators."}</p>
        <TextField
          label="User name or e-mail"
          name="login"
          autoComplete="username"
          required
          defaultValue={refusal?.login}
          autoFocus
        />
        <TextField label="Password" name="password" type="password" autoComplete="current-password" required />
        {refusal && (
          <Failure
            message={left > 0 ? `Too many failed attempts. Try again in ${wait(left)}.` : refusal.message}
            requestId={refusal.requestId}
          />
        )}
        <Button type="submit" look="primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}

/** In steps, since each new text is read out. */
function wait(seconds: number) {
  return seconds > 60 ? count(Math.ceil(seconds / 60), "minute") : count(Math.ceil(seconds / 10) * 10, "second");
}

function useSecondsUntil(time: number | undefined) {
  const [now, setNow] = useState(Date.now);
  const left = time === undefined ? 0 : Math.max(0, Math.ceil((time - now) / 1000));
  useEffect(() => {
    if (time === undefined) return;
    setNow(Date.now());
    const timer = setInterval(() => {
      setNow(Date.now());
      if (Date.now() >= time) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [time]);
  return left;
}

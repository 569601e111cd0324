#include "account.h"

#include <crypt.h>
#include <errno.h>
#include <pwd.h>
#include <shadow.h>
#include <stdlib.h>
#include <time.h>
#ifdef HAVE_PAM
#include <security/pam_appl.h>
#endif

void account_find(const char *user, struct buf *home, struct mailbox *m)
{
	errno = 0;
	const struct passwd *pw = getpwnam(user);

	if (!pw) {
		/* "No such user" leaves errno alone, or sets one of these; anything else is trouble, not an answer. */
		bool unknown = errno == 0 || errno == ENOENT || errno == ESRCH || errno == EPERM;
		*m = (struct mailbox){ .result = unknown ? LOGIN_REFUSED : LOGIN_LATER };
		return;
	}
	buf_add(home, str_from(pw->pw_dir));
	*m = (struct mailbox){ .result = LOGIN_OK,
			       .user = str_from(user),
			       .uid = pw->pw_uid,
			       .gid = pw->pw_gid,
			       .home = buf_str(home) };
}

/* The account or its password has run out (shadow(5)). */
static bool expired(const struct spwd *sp)
{
	long today = (long)(time(NULL) / 86400);

	return (sp->sp_expire > 0 && today >= sp->sp_expire) || sp->sp_lstchg == 0;
}

static uint8_t check_shadow(const char *user, const char *password)
{
	const struct spwd *sp = getspnam(user);
	struct crypt_data *data = calloc(1, sizeof(*data));
	/* yescrypt of nobody's password: an unknown user takes as long as a known one */
	static const char dummy[] = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

	if (!data)
		return LOGIN_LATER;
	const char *want = sp && sp->sp_pwdp[0] == '$' ? sp->sp_pwdp : dummy;
	const char *got = crypt_rn(password, want, data, sizeof(*data));
	uint8_t differ = !got || strlen(got) != strlen(want);
	for (size_t i = 0; got && !differ && i < strlen(want); i++)
		differ |= (uint8_t)(got[i] ^ want[i]);
	bool ok = !differ && want != dummy && !expired(sp);
	free(data);
	return ok ? LOGIN_OK : LOGIN_REFUSED;
}

#ifdef HAVE_PAM
static int converse(int n, const struct pam_message **msg, struct pam_response **out, void *password)
{
	struct pam_response *r = calloc((size_t)n, sizeof(*r));

	if (!r)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++)
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(password);
	*out = r;
	return PAM_SUCCESS;
}

static uint8_t check_pam(const char *user, const char *password, const char *service)
{
	struct pam_conv conv = { converse, (void *)(uintptr_t)password };
	pam_handle_t *pam;

	if (pam_start(service, user, &conv, &pam) != PAM_SUCCESS)
		return LOGIN_LATER;
	int bad = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (!bad)
		bad = pam_acct_mgmt(pam, PAM_SILENT);
	pam_end(pam, bad);
	if (bad == PAM_SUCCESS)
		return LOGIN_OK;
	return bad == PAM_AUTHINFO_UNAVAIL || bad == PAM_SYSTEM_ERR || bad == PAM_ABORT ? LOGIN_LATER : LOGIN_REFUSED;
}
#endif

uint8_t account_check(const char *user, const char *password, const char *pam_service)
{
#ifdef HAVE_PAM
	if (pam_service[0])
		return check_pam(user, password, pam_service);
#endif
	return pam_service[0] ? LOGIN_LATER : check_shadow(user, password);
}

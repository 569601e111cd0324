#include "tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "tls/signed.h"

/* The parameter that carries a struct signer into a key: it never leaves the process. */
#define PARAM_SIGNER "tayori-signer"
#define PROPERTIES "provider=tayori"
#define FUNCTION(id, f) \
	{ \
		id, (void (*)(void))(f) \
	}

struct key {
	OSSL_LIB_CTX *lib;
	const char *type;     /* "EC", "RSA" */
	EVP_PKEY *public;     /* of the default provider; NULL: empty */
	struct signer signer; /* sign NULL: only public, made to be compared */
};

/* ---- keys ---- */

static void *key_new(void *lib, const char *type)
{
	struct key *key = calloc(1, sizeof(*key));

	if (key)
		*key = (struct key){ .lib = lib, .type = type };
	return key;
}

static void *ec_new(void *lib)
{
	return key_new(lib, "EC");
}

static void *rsa_new(void *lib)
{
	return key_new(lib, "RSA");
}

static void key_free(void *data)
{
	struct key *key = data;

	if (key)
		EVP_PKEY_free(key->public);
	free(key);
}

static int key_has(const void *data, int selection)
{
	const struct key *key = data;

	if (!key || !key->public)
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || key->signer.sign;
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct key *one = a, *two = b;

	(void)selection;
	return one->public && two->public && EVP_PKEY_eq(one->public, two->public) == 1;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct key *key = data;
	const OSSL_PARAM *signer = OSSL_PARAM_locate_const(params, PARAM_SIGNER);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(key->lib, key->type, "provider=default");

	(void)selection;
	if (signer && signer->data_size == sizeof(key->signer))
		memcpy(&key->signer, signer->data, sizeof(key->signer));
	bool ok = !key->public && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		  EVP_PKEY_fromdata(ctx, &key->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/*
 * The private half is refused although there is none: OpenSSL asks for all of a key when it wants to sign with the
 * default provider, and takes our own signatures only after that has failed.
 */
static int key_export(void *data, int selection, OSSL_CALLBACK *take, void *arg)
{
	const struct key *key = data;
	OSSL_PARAM *params = NULL;

	if (!key->public || selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	int ok = EVP_PKEY_todata(key->public, EVP_PKEY_PUBLIC_KEY, &params) == 1 && take(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_octet_string(PARAM_SIGNER, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)selection;
	return types;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
	const struct key *key = data;

	return key->public && EVP_PKEY_get_params(key->public, params) == 1;
}

static const OSSL_PARAM *key_gettable(void *lib)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)lib;
	return gettable;
}

static const char *ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const char *rsa_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

#define KEY_FUNCTIONS(new, operation) \
	FUNCTION(OSSL_FUNC_KEYMGMT_NEW, new), FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free), \
		FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has), FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import), FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types), \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export), FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types), \
		FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params), \
		FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), \
		FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation), \
	{ \
		0, NULL \
	}

static const OSSL_DISPATCH ec_functions[] = { KEY_FUNCTIONS(ec_new, ec_operation) };
static const OSSL_DISPATCH rsa_functions[] = { KEY_FUNCTIONS(rsa_new, rsa_operation) };
static const OSSL_ALGORITHM keys[] = {
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, ec_functions, "EC keys at keyd" },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, rsa_functions, "RSA keys at keyd" },
	{ NULL, NULL, NULL, NULL },
};

/* ---- signatures ---- */

struct signature {
	const struct key *key;
	unsigned digest; /* 256, 384, 512 */
	bool pss;
};

static void *signature_new(void *lib, const char *properties)
{
	(void)lib, (void)properties;
	return calloc(1, sizeof(struct signature));
}

static void signature_free(void *data)
{
	free(data);
}

/* TLS SignatureScheme (RFC 8446, 4.2.3); 0: none of ours. */
static uint16_t scheme_of(const struct signature *s)
{
	static const struct {
		unsigned digest;
		uint16_t ecdsa, pkcs1, pss;
	} rows[] = { { 256, 0x0403, 0x0401, 0x0804 }, { 384, 0x0503, 0x0501, 0x0805 }, { 512, 0, 0x0601, 0x0806 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].digest == s->digest)
			return s->key->type[0] == 'E' ? rows[i].ecdsa : s->pss ? rows[i].pss : rows[i].pkcs1;
	return 0;
}

static unsigned digest_of(const char *name)
{
	static const struct {
		const char *name, *also;
		unsigned digest;
	} rows[] = { { "SHA256", "SHA2-256", 256 }, { "SHA384", "SHA2-384", 384 }, { "SHA512", "SHA2-512", 512 } };
	struct str wanted = str_from(name);

	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_ieq(wanted, str_from(rows[i].name)) || str_ieq(wanted, str_from(rows[i].also)))
			return rows[i].digest;
	return 0;
}

static int set_pad_mode(struct signature *s, const OSSL_PARAM *p)
{
	int mode = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		mode = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0	      ? RSA_PKCS1_PSS_PADDING
		       : strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
									      : 0;
	else if (!OSSL_PARAM_get_int(p, &mode))
		return 0;
	s->pss = mode == RSA_PKCS1_PSS_PADDING;
	return s->pss || mode == RSA_PKCS1_PADDING;
}

/* TLS knows one length: that of the digest. */
static int check_salt(const OSSL_PARAM *p)
{
	int length = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return OSSL_PARAM_get_int(p, &length) && length == RSA_PSS_SALTLEN_DIGEST;
}

static int signature_set(void *data, const OSSL_PARAM params[])
{
	struct signature *s = data;
	const OSSL_PARAM *mode = params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
	const OSSL_PARAM *salt = params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN) : NULL;

	return (!mode || set_pad_mode(s, mode)) && (!salt || check_salt(salt));
}

static const OSSL_PARAM *signature_settable(void *data, void *lib)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)data, (void)lib;
	return settable;
}

static int sign_begin(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signature *s = data;

	s->key = key;
	s->digest = digest_of(digest);
	return key_has(key, OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && scheme_of(s) != 0 && signature_set(s, params);
}

static int sign(void *data, unsigned char *out, size_t *n, size_t room, const unsigned char *content, size_t content_n)
{
	const struct signature *s = data;
	struct key_sign question = { .number = s->key->signer.number, .scheme = scheme_of(s) };
	scoped_buf struct buf signature = { 0 };
	size_t most = (size_t)EVP_PKEY_get_size(s->key->public);

	if (!out) {
		*n = most;
		return 1;
	}
	if (!signed_parts(str_of(content, content_n), &question) || question.scheme == 0 ||
	    !s->key->signer.sign(s->key->signer.arg, &question, &signature))
		return 0;
	if (signature.n == 0 || signature.n > room || signature.n > most)
		return 0;
	memcpy(out, signature.p, signature.n);
	*n = signature.n;
	return 1;
}

static const OSSL_DISPATCH signature_functions[] = {
	FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
	FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_begin),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign),
	FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set),
	FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
	{ 0, NULL },
};
static const OSSL_ALGORITHM signatures[] = {
	{ "ECDSA", PROPERTIES, signature_functions, "ECDSA by keyd" },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, signature_functions, "RSA by keyd" },
	{ NULL, NULL, NULL, NULL },
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *lib, int operation, int *no_cache)
{
	(void)lib;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static const OSSL_DISPATCH functions[] = { FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), { 0, NULL } };

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **lib)
{
	OSSL_FUNC_core_get_libctx_fn *get_libctx = NULL;

	for (; in->function_id; in++)
		if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
			get_libctx = OSSL_FUNC_core_get_libctx(in);
	if (!get_libctx)
		return 0;
	/* For a provider of the same libcrypto the core's context is the application's. */
	*lib = get_libctx(handle);
	*out = functions;
	return 1;
}

OSSL_PROVIDER *provider_load(OSSL_LIB_CTX *lib)
{
	/* Where both offer an algorithm the default provider's is meant; ours is taken for our own keys alone. */
	if (!EVP_set_default_properties(lib, "?provider=default") ||
	    !OSSL_PROVIDER_add_builtin(lib, "tayori", provider_init))
		return NULL;
	return OSSL_PROVIDER_load(lib, "tayori");
}

static EVP_PKEY *make_key(OSSL_LIB_CTX *lib, const char *type, OSSL_PARAM params[])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, type, PROPERTIES);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *provider_key(OSSL_LIB_CTX *lib, EVP_PKEY *public, const struct signer *signer)
{
	const char *type = EVP_PKEY_is_a(public, "EC") ? "EC" : EVP_PKEY_is_a(public, "RSA") ? "RSA" : NULL;
	struct signer copy = *signer;
	OSSL_PARAM extra[] = { OSSL_PARAM_construct_octet_string(PARAM_SIGNER, &copy, sizeof(copy)),
			       OSSL_PARAM_construct_end() };
	OSSL_PARAM *params = NULL;

	if (!type || EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return NULL;
	OSSL_PARAM *all = OSSL_PARAM_merge(params, extra);
	EVP_PKEY *key = all ? make_key(lib, type, all) : NULL;
	OSSL_PARAM_free(all);
	OSSL_PARAM_free(params);
	return key;
}

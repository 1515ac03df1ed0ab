/*
 * Lets CRIU read the limits of other users' processes where CAP_SYS_RESOURCE is missing.
 *
 * CRIU asks for them with prlimit(2), which wants the same user and group or that capability, and gives up without an
 * answer: then no process that is not root's could be frozen. /proc/PID/limits holds the same numbers for every reader.
 * Loaded before the C library into CRIU alone. No headers, so that a compiler without them will do.
 */

typedef unsigned long long limit;
struct limits {
	limit soft;
	limit hard;
};

typedef long call(long, long, long, long, long, long, long);

extern void *dlsym(void *, const char *);
extern int *__errno_location(void);
extern int snprintf(char *, unsigned long, const char *, ...);
extern int sscanf(const char *, const char *, ...);
extern void *fopen(const char *, const char *);
extern char *fgets(char *, int, void *);
extern int fclose(void *);
extern unsigned long long strtoull(const char *, char **, int);

#if defined(__x86_64__)
#define PRLIMIT64 302
#elif defined(__aarch64__)
#define PRLIMIT64 261
#else
#error "the number of prlimit64 is not known for this machine"
#endif
#define EPERM 1
/* dlfcn.h: what the C library behind this one has under the name. */
#define RTLD_NEXT ((void *)-1l)
/* The columns of /proc/PID/limits: a title of 25 characters and a space, then the two values. */
#define TITLE 26

static limit value(const char *text)
{
	return text[0] == 'u' ? ~0ULL : strtoull(text, 0, 10);
}

/* The lines stand in the order of the limits' numbers, below a heading. Returns 0 when found. */
static int read_limits(int pid, int resource, struct limits *result)
{
	char line[256], soft[32], hard[32];
	int found = -1;
	void *file;

	snprintf(line, sizeof(line), "/proc/%d/limits", pid);
	file = fopen(line, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (resource-- >= 0)
			continue;
		if (sscanf(line + TITLE, "%31s %31s", soft, hard) == 2) {
			result->soft = value(soft);
			result->hard = value(hard);
			found = 0;
		}
		break;
	}
	fclose(file);
	return found;
}

/* CRIU calls the kernel by number, so it is this function that is taken over; all other calls pass. */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
	static call *next;
	int *error = __errno_location();
	long result;

	if (!next)
		next = (call *)dlsym(RTLD_NEXT, "syscall");
	result = next(number, a, b, c, d, e, f);
	if (number != PRLIMIT64 || result == 0 || *error != EPERM || c || !d)
		return result;
	if (read_limits(a, b, (struct limits *)d) == 0)
		return 0;
	*error = EPERM;
	return -1;
}

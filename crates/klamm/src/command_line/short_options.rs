//! Options of one letter as getopt reads them: `-eq`, `-c5` and `-o -100`; long ones are understood beside them.

use super::table::{Kind, Opt};
use super::{Arguments, Failure};

/// Parses a command line whose options have letters; every other word is kept.
pub fn parse(arguments: &mut Arguments, line: &[String]) -> Result<(), Failure> {
    let mut words = line.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            arguments.words.extend(words.cloned());
            break;
        }
        if let Some(name) = word.strip_prefix("--") {
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name, None),
            };
            let option = known(arguments, name)?;
            take(arguments, option, attached, &mut words)?;
            continue;
        }
        let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            arguments.words.push(word.clone());
            continue;
        };
        while let Some(letter) = letters.chars().next() {
            letters = &letters[letter.len_utf8()..];
            let option = known(arguments, letter.encode_utf8(&mut [0; 4]))?;
            let attached = Some(letters).filter(|rest| option.kind != Kind::Flag && !rest.is_empty());
            take(arguments, option, attached, &mut words)?;
            if option.kind != Kind::Flag {
                break;
            }
        }
    }
    Ok(())
}

fn known(arguments: &Arguments, name: &str) -> Result<&'static Opt, Failure> {
    let tool = arguments.tool;
    tool.option(None, name).ok_or_else(|| {
        let names = tool.options(None).map(|option| option.name);
        let near = super::nearest(name, names).map(|near| format!("\nhint: did you mean --{near}?"));
        Failure::Usage(format!("unknown argument {name}{}", near.unwrap_or_default()))
    })
}

fn take<'a>(
    arguments: &mut Arguments,
    option: &'static Opt,
    attached: Option<&str>,
    words: &mut impl Iterator<Item = &'a String>,
) -> Result<(), Failure> {
    if option.kind == Kind::Flag {
        arguments.push(option, None);
        return Ok(());
    }
    let Some(value) = attached.map(str::to_owned).or_else(|| words.next().cloned()) else {
        return Err(Failure::Usage(format!("--{} needs a value", option.name)));
    };
    arguments.push(option, Some(value));
    Ok(())
}

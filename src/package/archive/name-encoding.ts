import { TextDecoder } from 'node:util';
import { RunnerError } from '../../errors.js';
import type { NameEncoding } from '../types.js';
import { NAME_ENCODINGS } from '../name-encodings.js';
import { quote } from './fault.js';

/** The upper half of code page 437, the one the format names for entries without the UTF-8 flag. */
const CODE_PAGE_437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐' +
  '└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

/** @throws RunnerError `invalid_params` for an encoding that is none of {@link NAME_ENCODINGS} */
export function checkNameEncoding(given: unknown): void {
  if (given === undefined || NAME_ENCODINGS.includes(given as NameEncoding)) return;
  throw new RunnerError(
    'invalid_params',
    `nameEncoding must be one of ${NAME_ENCODINGS.join(', ')}, not ${JSON.stringify(given)}`,
    { details: { path: 'nameEncoding' } },
  );
}

/** A decoder is made when it is first needed: packages with ASCII names alone, most of them, need none. */
const decoders = new Map<NameEncoding, TextDecoder>();

/** Undefined where the bytes are no text in that encoding. */
export function decodeName(bytes: Uint8Array, encoding: NameEncoding): string | undefined {
  if (encoding === 'cp437') {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : CODE_PAGE_437.charAt(byte - 0x80),
    ).join('');
  }
  let decoder = decoders.get(encoding);
  if (!decoder) {
    decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    decoders.set(encoding, decoder);
  }
  try {
    const text = decoder.decode(bytes);
    // Characters for private use stand where the encoding has none.
    return encoding !== 'utf-8' && /[\ue000-\uf8ff\u0080-\u009f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** A name without the UTF-8 flag that is not ASCII, and what its Unicode path field gives for it. */
export interface Sample {
  bytes: Buffer;
  unicode?: string;
  /** Unix and macOS write UTF-8. */
  isFromUnix?: boolean;
}

/** In what the names of an archive that do not say so are encoded. */
export interface ChosenEncoding {
  encoding: NameEncoding;
  /** Where the bytes leave room for another reading: what was assumed, in words. */
  doubt?: string;
}

/**
 * Tells the encoding of an archive's names that do not say theirs, by all of them together: one tool wrote them, in the
 * code page of its machine or in UTF-8.
 *
 * Valid UTF-8 is read as UTF-8: other encodings form it by chance only. Otherwise the Unicode path fields decide,
 * where there are any; otherwise the letters do, and the assumption is reported.
 */
export function chooseNameEncoding(samples: readonly Sample[]): ChosenEncoding {
  const open = samples.filter(({ unicode }) => unicode === undefined);
  const proven = NAME_ENCODINGS.find((encoding) => {
    const proofs = samples.filter(({ unicode }) => unicode !== undefined);
    return proofs.length > 0 && proofs.every(({ bytes, unicode }) => decodeName(bytes, encoding) === unicode);
  });
  const readings = (encoding: NameEncoding) => open.map(({ bytes }) => decodeName(bytes, encoding));
  const decodes = (encoding: NameEncoding) => readings(encoding).every((text) => text !== undefined);
  if (proven !== undefined && decodes(proven)) return { encoding: proven };
  if (decodes('utf-8')) {
    // Sequences of two bytes may be a character of GBK each; of three and more they all but never are.
    const names = readings('utf-8');
    const isCertain =
      open.every(({ isFromUnix }) => isFromUnix) ||
      names.some((text) => /[\u0800-\u{10ffff}]/u.test(text ?? ''));
    const other = isCertain ? 0 : plausibility('gbk', readings('gbk'), open);
    return { encoding: 'utf-8', ...(other === LIKELY && { doubt: doubtOf('utf-8', ['gbk'], open) }) };
  }
  const ranked = LOCAL.map((encoding) => ({
    encoding,
    score: plausibility(encoding, readings(encoding), open),
  }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  const best = ranked[0]?.encoding ?? 'cp437';
  if (best === 'gbk' && isEverydayChinese(readings('gbk'))) return { encoding: best };
  const others = ranked.map(({ encoding }) => encoding).filter((encoding) => encoding !== best);
  return { encoding: best, doubt: doubtOf(best, others, open) };
}

/** Code pages of Windows in which archivers write names; of two that are alike plausible the first is assumed. */
const LOCAL: readonly NameEncoding[] = ['gbk', 'shift_jis', 'big5', 'euc-kr', 'ibm866', 'cp437'];

const LIKELY = 3;
const POSSIBLE = 2;
const BARELY = 1;

/** How well the names read in an encoding: by whether their characters are those that its writers use. */
function plausibility(
  encoding: NameEncoding,
  names: readonly (string | undefined)[],
  samples: readonly Sample[],
): number {
  if (names.length === 0 || names.some((text) => text === undefined)) return 0;
  const all = names.join('');
  const foreign = Array.from(all).filter((character) => character > '\u007f');
  const every = (pattern: RegExp) => foreign.every((character) => pattern.test(character));
  switch (encoding) {
    case 'gbk': {
      if (!samples.every(({ bytes }) => isGb2312(bytes))) return BARELY;
      return isHangulInChinese(samples) && !isEverydayChinese(names) ? POSSIBLE : LIKELY;
    }
    case 'shift_jis':
      // Half-width kana are single bytes that any text of two-byte characters has by chance.
      if (/[\uff61-\uff9f]/.test(all)) return 0;
      return /[\u3041-\u30fe]/.test(all)
        ? LIKELY - 0.1
        : samples.every(({ bytes }) => isLevelOneOfJis(bytes))
          ? POSSIBLE
          : 0;
    case 'big5':
      return samples.every(({ bytes }) => isLevelOneOfBig5(bytes)) ? POSSIBLE + 0.1 : 0;
    case 'euc-kr':
      return every(/[\uac00-\ud7a3]/) ? POSSIBLE + 0.2 : 0;
    case 'ibm866':
      return every(/[\u0400-\u045f№]/) && /[а-яё]{2}/i.test(all) ? LIKELY - 0.2 : 0;
    default:
      return every(/[À-ÿŒœŸµ]/) && /[a-z][À-ÿ]|[À-ÿ][a-z]/i.test(all) && !/[À-ÿ]{2}/.test(all)
        ? POSSIBLE + 0.3
        : 0;
  }
}

/** Pairs of bytes, the first of each above 0x80: [first, second]; a single byte has no second. */
function pairs(bytes: Buffer): [number, number][] {
  const found: [number, number][] = [];
  for (let at = 0; at < bytes.length; at++) {
    const first = bytes[at] ?? 0;
    if (first < 0x80) continue;
    found.push([first, bytes[++at] ?? 0]);
  }
  return found;
}

/**
 * Hanzi and signs of GB 2312, of which names on Chinese Windows are made; the rest of GBK is for rare and foreign ones.
 * Its Greek, Cyrillic and accented letters (μ, φ, ü) stand beside hanzi: by themselves they are another code page's.
 */
function isGb2312(bytes: Buffer): boolean {
  const found = pairs(bytes);
  const hasHanzi = found.some(([first]) => first >= 0xb0 && first <= 0xf7);
  const lastOfSigns = hasHanzi ? 0xa9 : 0xa3;
  return found.every(
    ([first, second]) =>
      ((first >= 0xb0 && first <= 0xf7) || (first >= 0xa1 && first <= lastOfSigns)) && second >= 0xa1,
  );
}

/** The stretch of both code pages in which GB 2312 has its common hanzi and KS X 1001 its syllables. */
function isHangulInChinese(samples: readonly Sample[]): boolean {
  return samples.every(({ bytes }) =>
    pairs(bytes).every(([first, second]) => first >= 0xb0 && first <= 0xc8 && second >= 0xa1),
  );
}

function isLevelOneOfJis(bytes: Buffer): boolean {
  return pairs(bytes).every(([first]) => first >= 0x88 && first <= 0x98);
}

function isLevelOneOfBig5(bytes: Buffer): boolean {
  return pairs(bytes).every(
    ([first, second]) =>
      first >= 0xa1 && first <= 0xc6 && ((second >= 0x40 && second <= 0x7e) || second >= 0xa1),
  );
}

/** Hanzi that names of files in this field are made of. */
const EVERYDAY = new Set(
  '的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严首底液官德随病苏失尔死讲配女黄推显谈罪神艺呢席含企望密批营项防举球英氧势告李台落木帮轮破亚师围注远字材排供河态封另施减树溶怎止案言士均武固叶鱼波视仅费紧爱左章早朝害续轻服试食充兵源判护司足某练差致板田降黑犯负击范继兴似余坚曲输修故城夫够送笔船占右财吃富春职觉汉画功巴跟虽杂飞检吸助升阳互初创抗考投坏策古径换未跑留钢曾端责站简述钱副尽帝射草冲承独令限阿宣环双请超微让控州良轴找否纪益依优顶础载倒房突坐粉敌略客袁冷胜绝析块剂测丝协诉念陈仍罗盐友洋错苦夜刑移频逐靠混母短皮终聚汽村云哪既距卫停烈央察烧迅境若印洲刻括激孔搞甚室待核校散侵吧甲游久菜味旧模湖货损预阻毫普稳乙妈植息扩银语挥酒守拿序纸医缺雨吗针刘啊急唱误训愿审附获茶鲜粮斤孩脱硫肥善龙演父渐血欢械掌歌沙刚攻谓盾讨晚粒乱燃矛乎杀药宁鲁贵钟煤读班伯香介迫句丰培握兰担弦蛋沉假穿执答乐谁顺烟缩征脸喜松脚困异免背星福买染井概慢怕磁倍祖皇促静补评翻肉践尼衣宽扬棉希伤操垂秋宜氢套督振架亮末宪庆编牛触映雷销诗座居抓裂胞呼娘景威绿晶厚盟衡鸡孙延危胶屋乡临陆顾掉呀灯岁措束耐剧玉赵跳哥季课凯胡额款绍卷齐伟蒸殖永宗苗川炉岩弱零杨奏沿露杆探滑镇饭浓航怀赶库夺伊灵税途灭赛归召鼓播盘裁险康唯录菌纯借糖盖横符私努堂域枪润幅哈竟熟虫泽脑壤碳欧遍侧寨敢彻虑斜薄庭纳弹饲伸折麦湿暗荷瓦塞床筑恶户访塔奇透梁刀旋迹卡氯遇份毒泥退洗摆灰彩卖耗夏择忙铜献硬予繁圈雪函亦抽篇阵阴丁尺追堆雄迎泛爸楼避谋吨野猪旗累偏典馆索秦脂潮爷豆忽托惊塑遗愈朱替纤粗倾尚痛楚谢奋购磨君池旁碎骨监捕弟暴割贯殊释词亡壁顿宝午尘闻揭炮残冬桥妇警综招吴付浮遭徐您摇谷赞箱隔订男吹园纷唐败宋玻巨耕坦荣闭湾键凡驻锅救恩剥凝碱齿截炼麻纺禁废盛版缓净睛昌婚涉筒嘴插岸朗庄街藏姑贸腐奴啦惯乘伙恢匀纱扎辩耳彪臣亿璃抵脉秀萨俄网舞店喷纵寸汗挂洪贺闪柬爆烯津稻墙软勇像滚厘蒙芳肯坡柱荡腿仪旅尾轧冰贡登黎削钻勒逃障氨郭峰币港伏轨亩毕擦莫刺浪秘援株健售股岛甘泡睡童铸汤阀休汇舍牧绕炸哲磷绩朋淡尖启陷柴呈徒颜泪稍忘泵蓝拖洞授镜辛壮锋贫虚弯摩泰幼廷尊窗纲弄隶疑氏宫姐震瑞怪尤琴循描膜违夹腰缘珠穷森枝竹沟催绳忆邦剩幸浆栏拥牙贮礼滤钠纹罢拍咱喊袖埃勤罚焦潜伍墨欲缝姓刊饱仿奖铝鬼丽跨默挖链扫喝袋炭污幕诸弧励梅奶洁灾舟鉴苯讼抱毁懂寒智埔寄届跃渡挑丹艰贝碰拔爹戴码梦芽熔赤渔哭敬颗奔铅仲虎稀妹乏珍申桌遵允隆螺仓魏锐晓氮兼隐碍赫拨忠肃缸牵抢博巧壳兄杜讯诚碧祥柯页巡矩悲灌龄伦票寻桂铺圣恐恰郑趣抬荒腾贴柔滴猛阔辆妻填撤储签闹扰紫砂递戏吊陶伐喂疗瓶婆抚臂摸忍虾蜡邻胸巩挤偶弃槽劲乳邓吉仁烂砖租乌舰伴瓜浅丙暂燥橡柳迷暖牌秧胆详簧踏瓷谱呆宾糊洛辉愤竞隙怒粘乃绪肩籍敏涂熙皆侦悬掘享纠醒狂锁淀恨牲霸爬赏逆玩陵祝秒浙貌役彼悉鸭趋凤晨畜辈秩卵署梯炎滩棋驱筛峡冒啥寿译浸泉帽迟硅疆贷漏稿冠嫩胁芯牢叛蚀奥鸣岭羊凭串塘绘酵融盆锡庙筹冻辅摄袭筋拒僚旱钾鸟漆沈眉疏添棒穗硝韩逼扭侨凉挺碗栽炒杯患馏劝豪辽勃鸿旦吏拜狗埋辊掩饮搬骂辞勾扣估蒋绒雾丈朵姆拟宇辑陕雕偿蓄崇剪倡厅咬驶薯刷斥番赋奉佛浇漫曼扇钙桃扶仔返俗亏腔鞋棱覆框悄叔撞骗勘旺沸孤吐孟渠屈疾妙惜仰狠胀谐抛霉桑岗嘛衰盗渗脏赖涌甜曹阅肌哩厉烃纬毅昨伪症煮叹钉搭茎笼酷偷弓锥恒杰坑鼻翼纶叙狱逮罐络棚抑膨蔬寺骤穆冶枯册尸凸绅坯牺焰轰欣晋瘦御锭锦丧旬锻垄搜扑邀亭酯迈舒脆酶闲忧酚顽羽涨卸仗陪辟惩杭姚肚捉飘漂昆欺吾郎汁呵饰萧雅邮迁燕撒姻赴宴烦债帐斑铃旨醇董饼雏姿拌傅腹妥揉贤拆歪葡胺丢浩徽昂垫挡览贪慰缴汪慌冯诺姜谊凶劣诬耀昏躺盈骑乔溪丛卢抹闷咨刮驾缆悟摘铒掷颇幻柄惠惨佳仇腊窝涤剑瞧堡泼葱罩霍捞胎苍滨俩捅湘砍霞邵萄疯淮遂熊粪烘宿档戈驳嫂裕徙箭捐肠撑晒辨殿莲摊搅酱屏疫哀蔡堵沫皱畅叠阁莱敲辖钩痕坝巷饿祸丘玄溜曰逻彭尝卿妨艇吞韦怨矮歇焊',
);

/** Whether most of it is what such names are made of: what only happens to decode is not. */
function isEverydayChinese(names: readonly (string | undefined)[]): boolean {
  const hanzi = Array.from(names.join('')).filter((character) => /\p{Script=Han}/u.test(character));
  return hanzi.filter((character) => EVERYDAY.has(character)).length >= hanzi.length * 0.75;
}

function doubtOf(
  encoding: NameEncoding,
  others: readonly NameEncoding[],
  samples: readonly Sample[],
): string {
  const example = (as: NameEncoding) => quote(decodeName(samples[0]?.bytes ?? Buffer.alloc(0), as) ?? '');
  const count = samples.length === 1 ? 'One name does' : `${samples.length} names do`;
  const instead = others.slice(0, 2).map((other) => `in ${other} it would be ${example(other)}`);
  return (
    `${count} not say in what encoding: ${example(encoding)}${samples.length === 1 ? '' : ' for one'} is read as ${encoding}` +
    `${instead.length > 0 ? `; ${instead.join(', ')}` : ''}. If that is wrong, give the option nameEncoding`
  );
}
